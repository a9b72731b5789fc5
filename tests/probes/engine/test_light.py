"""What a daemon does not use, it does not pay for: heavy libraries are loaded by those who need them, before their first run."""

import subprocess
import sys

import pytest

HEAVY = ("cryptography", "dns", "httpx", "h2", "lxml", "numpy", "playwright", "re2")

STORY = """
import asyncio, sys
from datetime import UTC, datetime
from pydantic import TypeAdapter
import probes

async def main(specs):
    async with probes.Workbench(lambda: datetime.now(UTC)) as workbench:
        built = [(kind, TypeAdapter(probes.KINDS[kind].spec).validate_python(spec)) for kind, spec in specs]
        before = {name for name in HEAVY if name in sys.modules}
        for kind, spec in built:
            await probes.run(kind, spec, workbench, timeout=0.2)
        print(*sorted(name for name in HEAVY if name in sys.modules))
        print(*sorted({name for name in HEAVY if name in sys.modules} - before))

asyncio.run(main(SPECS))
"""

CASES = [
    # the checks                                                         what they load, and what of it within the first run
    ("nothing is checked", [], "", ""),
    (
        "pages, ports and links by address",
        [
            ("http", {"url": "http://127.0.0.1:9/"}),
            ("tcp", {"host": "127.0.0.1", "port": 9}),
            ("icmp", {"host": "127.0.0.1", "packets": 200, "spacing": "0s"}),
        ],
        "",
        "",
    ),
    ("a name server", [("dns", {"server": "127.0.0.1:9", "name": "good.example"})], "dns", ""),
    ("an expression", [("http", {"url": "http://127.0.0.1:9/", "expect": {"body": "ok"}})], "re2", ""),
    ("a time stamp", [("tsa", {"url": "http://127.0.0.1:9/"})], "cryptography", ""),
    ("a certificate's state", [("ocsp", {"cert": "/nowhere", "url": "http://127.0.0.1:9/"})], "cryptography", ""),
    ("an XPath", [("http", {"url": "http://127.0.0.1:9/", "expect": {"xpath": "//a"}})], "lxml", ""),
    (
        "a journey",
        [("journey", {"steps": [{"name": "a", "get": "http://127.0.0.1:9/", "extract": {"x": {"json": "$.x"}}}]})],
        "",
        "",
    ),
    (
        "a journey through pages",
        [("journey", {"steps": [{"name": "a", "get": "http://127.0.0.1:9/", "extract": {"x": {"css": "a@href"}}}]})],
        "lxml",
        "",
    ),
    ("a certificate", [("tls", {"host": "127.0.0.1", "port": 9, "verify": False})], "", ""),
]


@pytest.mark.parametrize(("sentence", "specs", "loaded", "late"), CASES, ids=[case[0] for case in CASES])
def test_a_kind_loads_what_it_needs_and_no_more(
    sentence: str, specs: list[tuple[str, dict[str, object]]], loaded: str, late: str
) -> None:
    story = f"HEAVY = {HEAVY!r}\nSPECS = {specs!r}\n{STORY}"
    said = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.splitlines() == [loaded, late]
