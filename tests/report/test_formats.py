"""What each format shows of a report: the same figures, in an office's form, and nothing that would run."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

import monitor.report
from monitor import words
from monitor.model import IncidentState, Severity
from monitor.report import build, render
from monitor.report.as_csv import files, guard
from monitor.report.as_json import as_dict
from tests.report.province import WEEK, source

SCHEMA = json.loads((Path(monitor.report.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


# --- CSV --------------------------------------------------------------------------------------------------------------


def read(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_csv_shows_the_figures_of_the_json(report):
    data = as_dict(report)
    with zipfile.ZipFile(io.BytesIO(render(report, "csv"))) as archive:
        assert archive.namelist() == [
            "period.csv",
            "nodes.csv",
            "groups.csv",
            "incidents.csv",
            "capacity.csv",
            "ipv6.csv",
            "communes.csv",
        ]
        rows = read(archive.read("nodes.csv"))
    assert [row["id"] for row in rows] == [row["id"] for row in data["nodes"]]
    for cells, row in zip(rows, data["nodes"], strict=True):
        assert float(cells["availability"] or -1) == (
            -1 if row["availability"]["value"] is None else row["availability"]["value"]
        )
        assert float(cells["seconds_down"]) == row["seconds"]["down"]
        assert cells["name"] == row["name"]


def test_129_communes_in_the_order_of_their_names(report):
    rows = read(files(report)["communes.csv"])
    names = list(dict.fromkeys(row["name"] for row in rows))
    assert len({row["code"] for row in rows}) == 129
    bare = [name.partition(" ")[2] for name in names]
    assert bare == sorted(bare, key=words.sort_key)
    duy, dong = (next(i for i, name in enumerate(bare) if name.startswith(x)) for x in ("Duy Tiên", "Đông A"))
    assert duy < dong


GUARDED = [
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("+84", "'+84"),
    ("-1", "'-1"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t=1"),
    ("\r=1", "'=1"),
    ("\x00=1", "'=1"),
    ("  =1", "'  =1"),
    ("a\x1b[31mb", "a[31mb"),
    ("xã Đông A", "xã Đông A"),
    (-1.5, -1.5),
    (None, ""),
    (True, True),
]


@pytest.mark.parametrize(("cell", "expected"), GUARDED, ids=[repr(c[0]) for c in GUARDED])
def test_cells_that_a_spreadsheet_would_run_are_guarded(cell, expected):
    assert guard(cell) == expected


def test_a_cell_is_never_longer_than_a_spreadsheet_takes():
    assert len(guard("=" + "x" * 40_000)) == 32_767


# --- HTML -------------------------------------------------------------------------------------------------------------


class Strict(HTMLParser):
    """Every tag that was opened is closed, in order; what could load or run is noted."""

    VOID = frozenset({"meta", "br", "rect", "line", "!doctype"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module", params=["vi", "en"])
def page(request, report):
    parser = Strict()
    html = render(report, "html", request.param).decode()
    parser.feed(html)
    return request.param, html, parser


def test_the_page_is_one_file_without_scripts(page):
    _, html, parser = page
    assert parser.open == []
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in parser.tags}
    assert not [key for _, attrs in parser.tags for key in attrs if key.startswith("on") or key in ("src", "href")]
    assert "url(" not in html
    assert "@import" not in html


def test_the_page_follows_the_order_of_an_office_report(page):
    lang, html, _ = page
    parts = [words.say(f"report.part.{number}", lang) for number in range(1, 7)]
    wanted = [
        words.say("report.nation", lang),
        words.say("report.draft", lang),
        *parts,
        words.say("report.annex", lang, count=129),
    ]
    places = [html.index(text.replace("'", "&#39;")) for text in wanted]
    assert places == sorted(places)


def test_the_page_shows_the_figures(report):
    html = render(report, "html").decode()
    for text in (
        "98,956 %",
        "(98,946 – 98,965)",
        "01:45:00",
        "105,0 phút",
        "DỰ THẢO",
        "Số: ……/BC-SKHCN",
        "Quá hạn",
        "chưa đủ dữ liệu",
    ):
        assert text in html, text
    assert html.count('class="strip"') == 13
    assert "100 %" not in html.replace("100,000 %", "")
    assert "ngày 23 tháng 11 năm 2026" in html


def test_names_are_text_and_never_markup():
    base = source()
    evil = "<script>alert(1)</script>{{ 7*7 }}"
    nodes = {name: replace(one, name=evil) if name == "motcua" else one for name, one in base.catalogue.nodes.items()}
    fault = replace(base.incidents[0], cause=evil)
    html = render(
        build(replace(base, catalogue=replace(base.catalogue, nodes=nodes), incidents=(fault,)), WEEK), "html"
    )
    assert b"<script" not in html
    assert b"{{ 7*7 }}" in html


def test_what_a_person_wrote_stands_in_its_section():
    html = render(build(source(remarks={"proposals": "Đề nghị VNPT bổ sung kênh dự phòng."}), WEEK), "html").decode()
    assert html.index("VI. KIẾN NGHỊ") < html.index("bổ sung kênh dự phòng") < html.index("Ghi chú về số liệu")


def test_short_notice_of_maintenance_is_told(report):
    assert any("7 ngày làm việc" in note for note in report.notes)
    assert "báo trước dưới 7 ngày làm việc" in render(report, "html").decode()


def test_english_words_for_the_same_figures(report):
    english = json.loads(render(report, "json", "en"))
    vietnamese = json.loads(render(report, "json"))
    assert english["period"]["label"] == "Week 47 of 2026 (2026-11-16–2026-11-22)"
    assert english["nodes"] == vietnamese["nodes"]
    assert english["notes"] != vietnamese["notes"]


def test_every_severity_and_state_an_incident_can_show_has_its_word(report):
    base = source()
    for severity in Severity:
        for state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED):
            fault = replace(base.incidents[3], severity=severity, state=state)
            assert render(build(replace(base, incidents=(fault,)), WEEK), "json")
