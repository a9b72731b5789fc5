"""The uptime report: what every format shows is one `Report`, and every figure of it can be explained.

Owns: reports and explanations. Never: reads the store, the configuration or a clock: a `Source` holds all of it.
"""

from monitor.report.build import build
from monitor.report.explain import Explanation, explain
from monitor.report.figures import Report, Source
from monitor.report.formats import FORMATS, Format, file_name, render

__all__ = [
    "FORMATS",
    "Explanation",
    "Format",
    "Report",
    "Source",
    "build",
    "explain",
    "file_name",
    "render",
]
