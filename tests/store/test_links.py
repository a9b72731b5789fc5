"""What is known of lines: five minutes of open days, and days, on both databases."""

from datetime import UTC, date, datetime, timedelta

from monitor.model import LinkDay, LinkSample, Retention
from monitor.store import Batch, Sample
from probes import Seen

DAY = date(2026, 11, 20)
AT = datetime(2026, 11, 20, 17, tzinfo=UTC)


def sample(minutes: int = 0, received: float = 0.5, check: str = "cpe/line") -> LinkSample:
    return LinkSample(check=check, at=AT + timedelta(minutes=minutes), received=received, sent=0.1)


def day(number: int = 0, received: float = 0.95, check: str = "cpe/line") -> LinkDay:
    return LinkDay(
        check=check, day=DAY + timedelta(days=number), received=received, sent=1 / 3, samples=280, expected=288
    )


async def test_they_come_back_as_they_were(store, reopened):
    samples, days = [sample(0), sample(5), sample(5, check="other/line")], [day(0), day(0, check="other/line"), day(1)]
    await store.commit(Batch(link_samples=samples, link_days=days))
    again = await reopened(store)
    assert await again.link_samples(AT) == tuple(samples)
    assert await again.link_samples(AT + timedelta(minutes=1)) == tuple(samples[1:])
    assert await again.link_days(DAY, DAY + timedelta(days=2)) == tuple(days)
    assert await again.link_days(DAY + timedelta(days=1), DAY + timedelta(days=2)) == (days[2],)


async def test_told_twice_the_later_word_stands(store):
    await store.commit(Batch(link_samples=[sample(0, 0.5)], link_days=[day(0, 0.5)]))
    await store.commit(Batch(link_samples=[sample(0, 0.6)], link_days=[day(0, 0.6)]))
    assert await store.link_samples(AT) == (sample(0, 0.6),)
    assert await store.link_days(DAY, DAY + timedelta(days=1)) == (day(0, 0.6),)


async def test_a_node_that_was_renamed_keeps_its_days(store):
    seen = Sample(check="cpe/line", at=AT, seen=Seen.OK)
    await store.commit(Batch(samples=[seen], link_samples=[sample()], link_days=[day()]))
    await store.rename({"cpe": "router"})
    assert [one.check for one in await store.link_samples(AT)] == ["router/line"]
    assert [one.check for one in await store.link_days(DAY, DAY + timedelta(days=1))] == ["router/line"]


async def test_samples_go_when_their_day_is_long_closed_and_days_with_the_ledger(store):
    now = AT + timedelta(days=400)
    old, new = sample(), LinkSample(check="cpe/line", at=now - timedelta(days=1), received=0.1, sent=0.1)
    recent = LinkDay(check="cpe/line", day=date(2027, 12, 1), received=0.1, sent=0.1, samples=288, expected=288)
    await store.commit(Batch(link_samples=[old, new], link_days=[day(), recent]))
    await store.prune(now, Retention(ledger=timedelta(days=30)), keep_from=now)
    assert await store.link_samples(AT) == (new,)
    assert await store.link_days(DAY, date(2028, 1, 1)) == (recent,)
