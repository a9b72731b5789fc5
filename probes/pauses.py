"""Pauses of the garbage collector, kept out of the measurements.

Owns: one decision about the process, to be made once by a program that probes for a living, after it has built everything.
Never: turns the collector off: what makes rings of garbage is still collected, later.

A run of a probe leaves no ring behind (a test counts), so a collection finds nothing; but walking all that lives takes 100 ms and more
when thousands of probes hang, and every healthy target beside them is then read as 100 ms slower than it is.
"""

import gc
from typing import Final

THRESHOLDS: Final = (2_000, 100, 100)
"""New objects before the young are walked (a millisecond or two), and how often that before the older ones are: hardly ever."""


def settle() -> None:
    """Collect once, take what has been built out of the collector's sight, and walk the rest in small steps."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
