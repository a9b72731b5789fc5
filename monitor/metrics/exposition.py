"""Everything Prometheus may scrape, behind one object that the daemon feeds and the web serves."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import habits, province
from monitor.metrics.checks import Checks
from monitor.metrics.daemon import Daemon, Delivery, Queue, StoreFigures
from monitor.metrics.text import Block, join
from monitor.metrics.world import Figures, World
from monitor.model import MONITOR, Catalogue, Incident, IncidentEvent, MeetingStatus, NodeState
from monitor.rules.ipv6 import Share
from probes.contract import Outcome

EOF: Final = b"# EOF\n"
PLAIN: Final = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """Lives in the loop's thread. Feeding costs microseconds; `render` joins bytes (a few milliseconds for 100,000 series)."""

    def __init__(self, *, version: str) -> None:
        self._checks = Checks()
        self._world = World()
        self._daemon = Daemon(version)
        self._blocks: list[Block] = []
        self._catalogue: Catalogue | None = None

    # Fed as things happen.

    def configured(self, catalogue: Catalogue) -> None:
        """This is what is watched from now on; `world` says so too."""
        if catalogue is not self._catalogue:
            self._catalogue = catalogue
            self._daemon.configured(catalogue)

    def outcome(self, check: str, node: str, type: str, kind: str, outcome: Outcome) -> None:
        """A check ran, and what it saw is stored."""
        self._checks.outcome(check, node, type, kind, outcome)
        self._daemon.run(kind, outcome)

    def forget(self, check: str) -> None:
        """The check is no more."""
        self._checks.forget(check)

    def event(self, event: IncidentEvent) -> None:
        """Something happened to an incident, and is stored."""
        about = event.incident.node
        node = self._catalogue.nodes.get(about) if self._catalogue else None
        own = MONITOR if about == MONITOR else ""
        self._daemon.event(event, node.type if node else own)

    def lateness(self, seconds: float) -> None:
        """A probe was started so late."""
        self._daemon.lateness.observe(seconds)

    def lag(self, seconds: float) -> None:
        """The loop came so late to a timer."""
        self._daemon.lag.observe(seconds)

    def heartbeat(self, result: str, ignored: int) -> None:
        """A job elsewhere called, with so many numbers that nobody asked for; `result` is of a closed list."""
        self._daemon.heartbeats.labels(result).inc()
        self._daemon.ignored.inc(ignored)

    def delivery(self, receiver: str, delivery: Delivery) -> None:
        """A message was tried."""
        self._daemon.deliveries.labels(receiver, str(delivery.result)).inc()

    def gathered(self, receiver: str, count: int) -> None:
        """So many messages were told inside of one."""
        self._daemon.gathered.labels(receiver).inc(count)

    def reloaded(self, *, successful: bool, at: datetime) -> None:
        """The configuration was read."""
        self._daemon.reloaded.set(successful)
        if successful:
            self._daemon.reloaded_at.set(at.timestamp())

    # Read when somebody scrapes.

    def world(
        self,
        *,
        now: datetime,
        catalogue: Catalogue,
        nodes: Mapping[str, NodeState],
        incidents: Iterable[Incident],
        maintenance: Collection[str] = (),
        connected: bool = True,
        queues: Sequence[Queue] = (),
        figures: Figures | None = None,
        clock_offset: timedelta = timedelta(0),
        dropped: int = 0,
        store: StoreFigures | None = None,
        meetings: Sequence[MeetingStatus] = (),
        ipv6: Share | None = None,
        speech: Mapping[str, float] | None = None,
        normals: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """How everything stands, for the next `render`."""
        self.configured(catalogue)
        self._daemon.connected.set(connected)
        self._daemon.offset.set(clock_offset.total_seconds())
        self._daemon.queues, self._daemon.dropped = queues, dropped
        if store is not None:
            self._daemon.store = store
        self._blocks = list(
            self._world.blocks(
                now=now,
                catalogue=catalogue,
                nodes=nodes,
                incidents=incidents,
                maintenance=maintenance,
                figures={} if figures is None else figures,
            )
        )
        self._blocks.extend(province.blocks(meetings, ipv6, speech or {}))
        self._blocks.extend(habits.blocks(catalogue, normals or {}))

    def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and body: OpenMetrics for who asks for it in `accept`, the text format for everybody else."""
        encode, kind = choose_encoder(accept)
        openmetrics = kind.startswith("application/openmetrics-text")
        own = encode(self._daemon.registry).removesuffix(EOF)
        end = EOF if openmetrics else b""
        return kind, join((*self._blocks, *self._checks.blocks()), openmetrics=openmetrics, start=own, end=end)

    def single(self, check: str, node: str, type: str, kind: str, outcome: Outcome) -> tuple[str, bytes]:
        """One outcome alone, as a multi-target exporter shows it."""
        alone = Checks()
        alone.outcome(check, node, type, kind, outcome)
        return PLAIN, join(alone.blocks(), openmetrics=False)

    def collect(self) -> Iterable[Metric]:
        """The same series as a prometheus_client Collector gives them, for a registry of somebody else's: slow, and the same."""
        text = join((*self._blocks, *self._checks.blocks()), openmetrics=False).decode()
        yield from self._daemon.registry.collect()
        yield from text_string_to_metric_families(text)
