"""The words of the uptime report and of the explanation of a figure."""

from collections.abc import Mapping
from typing import Final

TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "period.week": ("Tuần", "Week"),
    "report.draft": ("DỰ THẢO", "DRAFT"),
    "report.title": ("BÁO CÁO", "REPORT"),
}
