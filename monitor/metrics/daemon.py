"""The daemon's own metrics, by prometheus_client in a registry of their own.

Owns: counters and histograms of what the daemon does. Every label comes from a closed list or from the configuration.
Never: a series per node; never a label that a target or a receiver could choose.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.metrics.process import Process
from monitor.model import Catalogue, EventType, Incident, IncidentEvent, IncidentState
from monitor.rules import clock
from probes.contract import Outcome, Reason, Seen

LATENESS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
RECOVERY: Final = (60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
"""Seconds: minutes that nobody notices, the hours of an ordinary repair, and the 24 that the province allows."""


class Queue(Protocol):
    """How a receiver stands, as the outbox says it."""

    @property
    def receiver(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def retrying(self) -> int: ...
    @property
    def parked(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def disabled(self) -> bool: ...
    @property
    def failures(self) -> int: ...
    @property
    def alarm(self) -> object: ...


class Delivery(Protocol):
    """What became of one try, as the delivery says it; `result` is of a closed list."""

    @property
    def result(self) -> str: ...


class StoreFigures(Protocol):
    """What the store says of itself; `commit_seconds` are counts of commits up to each of `bounds`, the last one unbounded."""

    @property
    def queue(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def bounds(self) -> tuple[float, ...]: ...
    @property
    def commit_seconds(self) -> tuple[int, ...]: ...
    @property
    def commit_seconds_sum(self) -> float: ...
    @property
    def database_bytes(self) -> int: ...
    @property
    def wal_bytes(self) -> int: ...


class Spread(Collector):
    """A histogram of LATENESS that is fed at every run of a probe, in the loop's own thread: no lock, a tenth of the time."""

    def __init__(self, name: str, help: str) -> None:
        self._name, self._help = name, help
        self._counts = [0] * (len(LATENESS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Once more, so late."""
        self._counts[bisect_left(LATENESS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterable[Metric]:
        """One family."""
        bounds = (*map(str, LATENESS), "+Inf")
        buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(self._counts), strict=True)]
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)


class Daemon:
    """All that is counted; `registry` serves it."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        own = self.registry
        own.register(Process())
        Info("thongsuot_build", "The version that runs", registry=own).info({"version": version})
        self.connected = Gauge(
            "thongsuot_self_connected", "Whether enough anchors answer: 0 is cut off, and blind", registry=own
        )
        self.reloaded = Gauge(
            "thongsuot_config_last_reload_successful",
            "Whether the last reading of the configuration was accepted",
            registry=own,
        )
        self.reloaded_at = Gauge(
            "thongsuot_config_last_reload_success_timestamp_seconds",
            "When one was last accepted, in unix seconds",
            registry=own,
        )
        self.offset = Gauge(
            "thongsuot_clock_offset_seconds", "How far the wall clock has been stepped since the start", registry=own
        )
        self.lateness = Spread("thongsuot_schedule_lateness_seconds", "How late a probe was started")
        self.lag = Spread(
            "thongsuot_loop_lag_seconds",
            "How late the daemon's own loop comes to a timer: what any probe's timing may be off by",
        )
        own.register(self.lateness)
        own.register(self.lag)
        self.incidents = Counter(
            "thongsuot_incidents_total",
            "Incidents that are over, by how they ended: met, breached, merged, withdrawn",
            ("type", "severity", "result"),
            registry=own,
        )
        self.recovery = Histogram(
            "thongsuot_recovery_duration_seconds",
            "From the first failed outcome to the end of a resolved incident",
            ("type",),
            buckets=RECOVERY,
            registry=own,
        )
        self.deliveries = Counter(
            "thongsuot_deliveries_total", "Tries to deliver a message", ("receiver", "result"), registry=own
        )
        self.gathered = Counter(
            "thongsuot_messages_gathered_total",
            "Messages that were told inside of another",
            ("receiver",),
            registry=own,
        )
        self.heartbeats = Counter(
            "thongsuot_heartbeats_total",
            "Calls of jobs elsewhere: done, failed, started; limited, of an unknown token, or unstored",
            ("result",),
            registry=own,
        )
        self.ignored = Counter(
            "thongsuot_heartbeat_ignored_total", "Numbers in calls that no configuration asks for", registry=own
        )
        self.runs: dict[tuple[str, Seen, Reason], int] = {}
        self.dropped = 0
        self.queues: Sequence[Queue] = ()
        self.store: StoreFigures | None = None
        own.register(_Collected(self))
        self.connected.set(1)
        self.reloaded.set(1)

    def configured(self, catalogue: Catalogue) -> None:
        """Series whose labels are known beforehand are there from the first scrape: a rate over the first failure is right."""
        for kind in {check.kind for check in catalogue.checks.values()}:
            self.runs.setdefault((kind, Seen.OK, Reason.OK), 0)
        for receiver in catalogue.receivers:
            self.deliveries.labels(receiver, "delivered")
            self.gathered.labels(receiver)

    def run(self, kind: str, outcome: Outcome) -> None:
        """One probe ran."""
        key = (kind, outcome.seen, outcome.reason)
        self.runs[key] = self.runs.get(key, 0) + 1

    def event(self, event: IncidentEvent, type: str) -> None:
        """Something happened to an incident of a node of this `type`; what ends it is counted."""
        incident = event.incident
        if event.type in (EventType.RESOLVED, EventType.RECOVERED):
            self.recovery.labels(type).observe(clock.elapsed(incident, event.at).total_seconds())
            self.incidents.labels(type, incident.severity.value, _met(incident, event.at)).inc()
        elif event.type in (EventType.MERGED, EventType.WITHDRAWN) and not incident.state.active:
            self.incidents.labels(type, incident.severity.value, incident.state.value).inc()


def _met(incident: Incident, at: datetime) -> str:
    over = incident.state is IncidentState.RESOLVED
    return clock.clock_state(incident, at) if over else incident.state.value


class _Collected(Collector):
    """What is counted elsewhere and only read when somebody scrapes."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def collect(self) -> Iterable[Metric]:
        yield from self._runs()
        yield from self._outbox()
        if self._daemon.store is not None:
            yield from _store(self._daemon.store)

    def _runs(self) -> Iterator[Metric]:
        runs = CounterMetricFamily(
            "thongsuot_probe_runs", "Runs of probes, by what they saw and why", labels=("kind", "seen", "reason")
        )
        for (kind, seen, reason), count in sorted(self._daemon.runs.items()):
            runs.add_metric((kind, seen.value, reason.value), count)
        yield runs
        dropped = "Outcomes that could not be kept in time because the store was in trouble"
        yield CounterMetricFamily("thongsuot_outcomes_dropped", dropped, value=self._daemon.dropped)

    def _outbox(self) -> Iterator[Metric]:
        messages = GaugeMetricFamily(
            "thongsuot_outbox_messages",
            "Messages not yet delivered: waiting for their turn, between tries, parked, or held to be told together",
            labels=("receiver", "state"),
        )
        failures = GaugeMetricFamily(
            "thongsuot_receiver_failures", "Tries in a row that the receiver failed", labels=("receiver",)
        )
        disabled = GaugeMetricFamily(
            "thongsuot_receiver_disabled", "Whether the receiver said that it is gone (410)", labels=("receiver",)
        )
        alarm = GaugeMetricFamily(
            "thongsuot_receiver_alarm",
            "Whether the receiver refuses what only a person can put right: credentials, address, certificate, content",
            labels=("receiver",),
        )
        for queue in self._daemon.queues:
            for state in ("waiting", "retrying", "parked", "held"):
                messages.add_metric((queue.receiver, state), getattr(queue, state))
            failures.add_metric((queue.receiver,), queue.failures)
            disabled.add_metric((queue.receiver,), int(queue.disabled))
            alarm.add_metric((queue.receiver,), int(queue.alarm is not None))
        yield from (messages, failures, disabled, alarm)


def _store(figures: StoreFigures) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "thongsuot_store_queue_length", "Units of work that wait to be written", value=figures.queue
    )
    yield CounterMetricFamily("thongsuot_store_rows", "Rows written", value=figures.rows)
    yield CounterMetricFamily("thongsuot_store_commit_failures", "Transactions that failed", value=figures.failures)
    yield GaugeMetricFamily("thongsuot_store_database_bytes", "Size of the database", value=figures.database_bytes)
    yield GaugeMetricFamily("thongsuot_store_wal_bytes", "Size of the write-ahead log", value=figures.wal_bytes)
    total, buckets = 0, []
    for bound, count in zip((*map(str, figures.bounds), "+Inf"), figures.commit_seconds, strict=False):
        total += count
        buckets.append((bound, float(total)))
    if buckets:
        yield HistogramMetricFamily(
            "thongsuot_store_commit_seconds",
            "How long a commit took",
            buckets=buckets,
            sum_value=figures.commit_seconds_sum,
        )
