"""What the daemon itself costs, under the names that every Prometheus client library uses.

Owns: processor time, memory, the limit of descriptors. Never: blocks the loop; prometheus_client's own collector opens files at every scrape,
while this one keeps the one it needs open (the kernel makes its text from memory).
"""

import os
import resource
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

STATM = "/proc/self/statm"
"""proc(5): sizes in pages; the second number is the resident set."""


class Process(Collector):
    """Reads the process it lives in."""

    def __init__(self) -> None:
        self._statm: int | None = None
        with suppress(OSError):
            self._statm = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._statm)

    def collect(self) -> Iterable[Metric]:
        """Memory only where the kernel tells it."""
        yield CounterMetricFamily(
            "process_cpu_seconds", "Total user and system CPU time spent in seconds", value=time.process_time()
        )
        if self._statm is not None:
            pages = int(os.pread(self._statm, 200, 0).split()[1])
            size = pages * resource.getpagesize()
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory size in bytes", value=size)
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield GaugeMetricFamily("process_max_fds", "Maximum number of open file descriptors", value=most)
