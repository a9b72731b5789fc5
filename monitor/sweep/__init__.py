"""What time brings about without a probe: heartbeats, maintenance, upkeep, reports, meetings."""

from monitor.sweep.archive import read_source
from monitor.sweep.housekeeping import Housekeeping, expand
from monitor.sweep.meetings import Ground, Meetings
from monitor.sweep.reports import Reports, write_report

__all__ = ["Ground", "Housekeeping", "Meetings", "Reports", "expand", "read_source", "write_report"]
