"""The ground's own sums: quantiles as Prometheus makes them, an account by labels, one address and one name for each commune."""

import dns.message
import pytest

from tests.bench.ground import Reading, Stretch, place
from tests.bench.names import answer

LAG = "thongsuot_loop_lag_seconds"


def reading(at: float, cpu: float, **buckets: float) -> Reading:
    samples = {f'{LAG}_bucket{{le="{bound.strip("_").replace("_", ".")}"}}': count for bound, count in buckets.items()}
    return Reading(at=at, cpu=cpu, resident=1, peak=2, samples=samples, nodes={}, series=len(samples))


def test_a_quantile_is_interpolated_in_its_bucket_and_the_last_one_is_a_bound() -> None:
    stretch = Stretch(
        reading(10, 1.0, _0_01=5, _0_05=5, _0_1=5, Inf=5), reading(20, 1.5, _0_01=55, _0_05=105, _0_1=105, Inf=105)
    )
    assert stretch.cpu == pytest.approx(5.0)
    assert stretch.quantile(LAG, 0.5) == pytest.approx(10.0)
    assert stretch.quantile(LAG, 0.75) == pytest.approx(30.0)
    assert stretch.quantile(LAG, 1.0) == pytest.approx(50.0)


def test_a_counter_is_summed_over_the_labels_asked_for() -> None:
    one = Reading(
        at=0, cpu=0, resident=0, peak=0, nodes={}, series=3,
        samples={'runs{kind="http",seen="ok"}': 3, 'runs{kind="icmp",seen="ok"}': 4, 'runs{kind="icmp",seen="blind"}': 1},
    )  # fmt: skip
    assert one.total("runs") == 8
    assert one.total("runs", 'seen="ok"') == 7
    assert one.total("runs", 'kind="icmp"', 'seen="ok"') == 4


def test_every_commune_has_an_address_of_its_own_that_its_name_leads_to() -> None:
    assert len({place(number) for number in range(20_000)}) == 20_000
    question = dns.message.make_query("c3320.xa.example", "A")
    said = dns.message.from_wire(answer(question.to_wire()) or b"")
    assert said.id == question.id
    assert [str(record) for record in said.answer[0]] == [place(3320)]
    assert not dns.message.from_wire(answer(dns.message.make_query("c1.xa.example", "AAAA").to_wire()) or b"").answer
