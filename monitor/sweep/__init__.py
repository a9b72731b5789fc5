"""What time brings about without a probe: heartbeats, maintenance, upkeep, reports."""

from monitor.sweep.archive import read_source
from monitor.sweep.housekeeping import Housekeeping, expand
from monitor.sweep.reports import Reports, write_report

__all__ = ["Housekeeping", "Reports", "expand", "read_source", "write_report"]
