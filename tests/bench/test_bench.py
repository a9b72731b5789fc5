"""The benchmark's own rules: every scene is found, a missed promise is seen, and the prober's rival is asked as Prometheus asks."""

import pytest

from tests.bench.__main__ import RESULTS, row, scenes, table
from tests.bench.scene import Figure, Missing, rounds
from tests.bench.scraper import complete, value


def test_every_scene_is_found_once() -> None:
    names = [scene.name for scene in scenes()]
    assert len(names) == len(set(names))
    assert {"http", "https", "tcp", "tls", "icmp", "blackout"} <= set(names)
    assert RESULTS.name == "RESULTS.md"


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure(name="a", value=8.1, unit="×", target=8), "met"),
        (Figure(name="a", value=7.9, unit="×", target=8), "MISSED"),
        (Figure(name="a", value=5.0, unit="ms", target=5, want="most"), "met"),
        (Figure(name="a", value=5.1, unit="ms", target=5, want="most"), "MISSED"),
        (Figure(name="a", value=1), ""),
        (Missing(name="a", why="fping is missing"), "fping is missing"),
    ],
)
def test_a_missed_promise_is_seen(figure: Figure | Missing, verdict: str) -> None:
    assert row(figure)[3] == verdict
    assert verdict in table([figure])


def test_rounds_alternate_and_give_medians() -> None:
    order: list[str] = []
    numbers = iter([100.0, 3.0, 1.0, 2.0])

    def one() -> float:
        order.append("one")
        return next(numbers)

    def other() -> float:
        order.append("other")
        return 5.0

    assert rounds({"one": one, "other": other}, count=3) == {"one": 2.0, "other": 5.0}
    assert order == ["one", "other"] * 4


def test_an_answer_in_chunks_is_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert complete(bytearray(head + b"5\r\na 1\np\r\n")) is None
    whole = complete(bytearray(head + b"5\r\na 1\np\r\n5\r\nrobe \r\n2\r\n2\n\r\n0\r\n\r\n"))
    assert whole == b"a 1\nprobe 2\n"
    assert value("\nprobe 2\n", "probe") == 2.0


def test_an_answer_with_a_length_is_complete_at_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    assert complete(bytearray(head + b"ab")) is None
    assert complete(bytearray(head + b"abc")) == b"abc"
