"""From a check that is due to news that are durable."""

from monitor.pipeline.anchors import Anchors
from monitor.pipeline.beats import Beats
from monitor.pipeline.capacity import Capacity
from monitor.pipeline.desk import STALE, Desk, News
from monitor.pipeline.runner import Runner

__all__ = ["STALE", "Anchors", "Beats", "Capacity", "Desk", "News", "Runner"]
