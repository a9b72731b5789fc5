"""Whatever happens in a storm, and whenever the daemon dies in it: everything is told, once, in order for each incident, under one id."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import EventType, Severity
from monitor.notify import Delivery, Result
from monitor.outbox import Outbox
from monitor.store import MessageState
from tests.outbox.storms import Network, ids_in, outbox_of, tell
from tests.outbox.world import DEAD, GOOD, Post, Town, failing

NAMES = ("truc", "noc")
MOODS = {
    "well": GOOD,
    "dead": DEAD,
    "throttles": failing(429, Result.THROTTLED, 120),
    "refuses": failing(422, Result.REJECTED),
    "takes it and hangs up": Delivery(result=Result.TIMEOUT),
}
KINDS = (
    EventType.OPENED,
    EventType.UPDATED,
    EventType.ACKNOWLEDGED,
    EventType.ESCALATED,
    EventType.RESOLVED,
    EventType.REOPENED,
)

NEWS = st.tuples(
    st.just("news"),
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(KINDS), st.sampled_from([Severity.MEDIUM] * 5 + [Severity.HIGH])),
        min_size=1,
        max_size=8,
    ),
)
STEPS = st.lists(
    st.one_of(
        NEWS,
        NEWS,
        st.tuples(st.just("wait"), st.sampled_from([0.005, 0.5, 2.0, 11.0, 70.0, 400.0, 1000.0, 8000.0])),
        st.tuples(st.just("mood"), st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(MOODS)))),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("trouble"), st.integers(1, 3)),
    ),
    max_size=25,
)


@dataclass
class Life:
    """One run; `accepted` is what each receiver really got, in order."""

    post: Post = field(default_factory=lambda: Post(slow=0.003))
    town: Town = field(default_factory=Town)
    network: Network = field(default_factory=lambda: Network(receivers=NAMES))
    mood: dict[str, str] = field(default_factory=lambda: dict.fromkeys(NAMES, "well"))
    accepted: list = field(default_factory=list)
    outbox: Outbox | None = None
    task: asyncio.Task | None = None

    def answer(self, each):
        mood = self.mood[each.receiver]
        if mood in ("well", "takes it and hangs up"):
            self.accepted.append(each)
        return MOODS[mood]

    def begin(self):
        if self.task is None:
            self.outbox = outbox_of(self.post, self.town, *NAMES)
            self.task = asyncio.get_running_loop().create_task(self.outbox.run())

    async def crash(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.task = self.outbox = None

    async def live(self, steps):
        self.town.answers = dict.fromkeys(NAMES, self.answer)
        for what, arg in steps:
            self.begin()
            if what == "news":
                made = [each for number, kind, severity in arg for each in self.network.say(number, kind, severity)]
                tell(self.outbox, self.post, made)
            elif what == "wait":
                await asyncio.sleep(arg)
            elif what == "mood":
                self.mood[arg[0]] = arg[1]
            elif what == "crash":
                await self.crash()
            else:
                self.post.trouble = arg
        self.mood = dict.fromkeys(NAMES, "well")
        self.begin()
        await asyncio.sleep(3 * 3600)
        await self.outbox.stop(10)
        await self.task


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_everything_is_told_once_in_order_and_under_one_id(steps):
    life = Life()
    loop = looptime.new_event_loop(start=0)
    try:
        loop.run_until_complete(life.live(steps))
    finally:
        loop.close()
    assert {row.state for row in life.post.rows.values()} <= {MessageState.DELIVERED}
    once = {each.id: each for each in life.accepted}
    assert all(once[each.id].body == each.body for each in life.accepted), "every copy has the same bytes"
    told = defaultdict(list)
    for each in once.values():
        for id in ids_in(each):
            made = life.network.made[id]
            assert made.receiver == each.receiver
            told[made.receiver, made.lane].append(made.sequence)
    for name in NAMES:
        for lane, last in life.network.sequences.items():
            assert told[name, lane] == list(range(1, last + 1)), "each event once, in order"
