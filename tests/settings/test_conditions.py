"""The lines that a person writes: what each form means. What is refused stands in `bad/condition_*`."""

from datetime import timedelta

import pytest

from monitor.model import Condition
from monitor.settings.conditions import condition
from probes import KINDS

MINUTE = timedelta(minutes=1)
GOOD = [
    # as written                            fact    op    value  over          times
    ("loss >= 1%", ("loss", ">=", 0.01, None, None)),
    ("loss >= 5% over 10m", ("loss", ">=", 0.05, 10 * MINUTE, None)),
    ("rtt > 100ms over 2m", ("rtt", ">", 0.1, 2 * MINUTE, None)),
    ("rtt > 3 x normal", ("rtt", ">", 0.0, None, 3.0)),
    ("rtt > 3x normal+20ms", ("rtt", ">", 0.02, None, 3.0)),
    ("rtt >= 2.5 × normal + 20 ms", ("rtt", ">=", 0.02, None, 2.5)),
    ("rtt>3*normal over 1h", ("rtt", ">", 0.0, 60 * MINUTE, 3.0)),
    ("  rtt > 3 x normal + 20ms over 24h ", ("rtt", ">", 0.02, 24 * 60 * MINUTE, 3.0)),
    ("mos < 0.8 x normal", ("mos", "<", 0.0, None, 0.8)),
    ("loss > 3 x normal + 1%", ("loss", ">", 0.01, None, 3.0)),
]


@pytest.mark.parametrize(("text", "meaning"), GOOD, ids=[text for text, _ in GOOD])
def test_what_a_line_means(text: str, meaning: tuple[object, ...]) -> None:
    read = condition(text, KINDS["icmp"].facts, MINUTE)
    assert (read.fact, read.op, pytest.approx(read.value), read.over, read.times) == meaning
    assert read.text == text.strip()


def test_a_line_of_one_round_is_what_it_was() -> None:
    read = condition("rtt > 100ms", KINDS["icmp"].facts, MINUTE)
    assert read == Condition(fact="rtt", op=">", value=0.1, text="rtt > 100ms", unit="seconds")
