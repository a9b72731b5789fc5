"""What a run's packets come to, in numbers."""

import pytest

from probes.echo_flight import Echoes
from probes.icmp import figures, jitter
from probes.mos import mos, opinion, rating

VECTORS = [
    # one way, ms; loss, %; R; MOS   (G.711 with concealment, BurstR 1)
    (0, 0, 93.2, 4.41),
    (50, 1, 88.4, 4.30),
    (150, 1, 86.0, 4.23),
    (150, 5, 73.8, 3.77),
    (300, 2, 65.5, 3.38),
    (400, 5, 43.3, 2.23),
    (200, 20, 43.8, 2.25),
]


@pytest.mark.parametrize(("delay", "loss", "r", "score"), VECTORS)
def test_the_published_vectors_of_the_e_model(delay: float, loss: float, r: float, score: float) -> None:
    assert rating(delay / 1000, loss / 100) == pytest.approx(r, abs=0.05)
    assert opinion(rating(delay / 1000, loss / 100)) == pytest.approx(score, abs=0.005)


def test_a_score_is_never_below_one_nor_above_four_and_a_half() -> None:
    assert min(opinion(r / 10) for r in range(-50, 1100)) == 1.0
    assert max(opinion(r / 10) for r in range(-50, 1100)) == 4.5


def test_a_link_is_scored_by_half_its_round_trip() -> None:
    assert mos(0.100, 0.0, 0.0) == opinion(rating(0.050 + 0.020, 0.0))


def test_jitter_is_rfc_3550s_estimator_in_seconds() -> None:
    assert jitter([0.010, 0.026, 0.026]) == pytest.approx(0.001 + (0 - 0.001) / 16)
    assert jitter([0.010]) == 0.0


CASES = [
    ("nothing came back: no round trip is reported, not zero", Echoes(sent=3), {"loss": 1.0}, {"rtt", "mos", "jitter", "hop_limit"}),
    ("nothing could be sent: not even a loss is known", Echoes(), {"sent": 0}, {"loss", "rtt"}),
    ("two of three", Echoes(sent=3, rtts=[0.2, 0.1]), {"loss": 1 / 3, "rtt": 0.15, "rtt_min": 0.1, "rtt_max": 0.2, "rtt_p95": 0.2}, {"mtu"}),
    ("a duplicate is not a reply", Echoes(sent=2, rtts=[0.1], duplicates=1), {"received": 1, "duplicates": 1, "loss": 0.5}, set()),
    ("p95 of twenty is the nineteenth", Echoes(sent=20, rtts=[n / 10 for n in range(1, 21)]), {"rtt_p95": 1.9}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "echoes", "present", "absent"), CASES, ids=[case[0] for case in CASES])
def test_figures(sentence: str, echoes: Echoes, present: dict[str, float], absent: set[str]) -> None:
    facts = figures(echoes)
    assert {name: facts[name] for name in present} == pytest.approx(present)
    assert not absent & facts.keys()
