"""The formats of a report: one file and one line each.

Owns: the table. Never: lets two formats show different figures; each is rendered from the same `Report`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from monitor import words
from monitor.report import as_csv, as_html, as_json
from monitor.report.build import reworded
from monitor.report.figures import Report


@dataclass(frozen=True, slots=True)
class Format:
    """One row of `FORMATS`: the end of the file's name (without its dot), its media type, and how it is made."""

    suffix: str
    media_type: str
    render: Callable[[Report], bytes]


FORMATS: Final[Mapping[str, Format]] = {
    "json": Format("json", "application/json", as_json.render),
    "csv": Format("csv.zip", "application/zip", as_csv.render),
    "html": Format("html", "text/html; charset=utf-8", as_html.render),
}


def render(report: Report, name: str, lang: words.Lang | None = None) -> bytes:
    """The report in one format, in its own language or another. The same report gives the same bytes. An unknown name is a ValueError."""
    try:
        chosen = FORMATS[name]
    except KeyError:
        raise ValueError(f"there is no format {name!r}: {', '.join(FORMATS)}") from None
    return chosen.render(report if lang in (None, report.source.language) else reworded(report, lang))


def file_name(report: Report, name: str) -> str:
    """What the file is called: `thongsuot-2026-W47.html`."""
    return f"{report.stem}.{FORMATS[name].suffix}"
