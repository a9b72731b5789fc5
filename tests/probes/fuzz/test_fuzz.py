"""10,000 mutated answers for every kind: nothing unhandled, nothing outside the closed reasons, never our fault, deadline + 250 ms, ≤ 2 MiB.

X43, and the like for every other kind. Each case can be run again alone: `CASE="dns over udp/37/4711" pytest tests/probes/fuzz -s`.
"""

import os
from collections import Counter

import pytest
import uvloop

import probes
from tests.probes.fuzz.campaign import MOST_GROWTH, bench, campaign, growth
from tests.probes.fuzz.cases import Case, Lane, Row
from tests.probes.fuzz.rows import NO_BYTES, ROWS
from tests.probes.icmp.province import needs_province

pytestmark = pytest.mark.story

EACH = 10_000
"""Cases of a kind in the ordinary run; a hundred times as many under `make soak`."""


@pytest.fixture(autouse=True)
def _loaded(request: pytest.FixtureRequest) -> None:
    """As in the daemon: what a check needs is imported when a configuration is read, never within a run."""
    if "row" in request.fixturenames:
        Lane(request.getfixturevalue("row"), port=1).fill()


def marked(row: Row) -> object:
    return pytest.param(row, id=row.name, marks=[needs_province] if row.way == "echo" else [])


EVERY_ROW = pytest.mark.parametrize("row", [marked(row) for row in ROWS])


def test_every_kind_has_its_row_and_its_number() -> None:
    cases: Counter[str] = Counter()
    for row in ROWS:
        cases[row.kind] += row.count
    assert cases.keys() | NO_BYTES.keys() == probes.KINDS.keys()
    assert not cases.keys() & NO_BYTES.keys()
    assert {kind: count for kind, count in cases.items() if count < EACH} == {}


@EVERY_ROW
def test_mutated_answers(row: Row) -> None:
    found = uvloop.run(campaign(row, range(row.count)))
    assert sum(found.values()) == row.count
    assert len(found) >= row.deep, found
    assert sum(found[reason] for reason in row.reaches) > row.count // 50, (
        f"the campaign must get deep, not fail at the first byte: {found}"
    )


@EVERY_ROW
def test_a_run_stays_small(row: Row) -> None:
    assert uvloop.run(growth(row, range(0, row.count, 500))) <= MOST_GROWTH


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
@EVERY_ROW
def test_a_million_mutated_answers(row: Row, seed: int) -> None:
    uvloop.run(campaign(row, range(row.count), seed=1000 + seed))


@pytest.mark.skipif("CASE" not in os.environ, reason="only to look at one case again")
def test_one_case_again() -> None:
    name, seed, number = os.environ["CASE"].rsplit("/", 2)
    row = next(row for row in ROWS if row.name == name)

    async def once() -> None:
        async with bench(row, 1) as here:
            print(*await here.meet(Case(row, int(number), int(seed)), 0))

    uvloop.run(once())
