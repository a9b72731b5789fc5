"""When a message is tried again, and when it has been tried enough.

Owns: the steps from seconds to hours, and the 72 hours. Pure: chance and time are arguments.
"""

from datetime import timedelta
from typing import Final

from monitor.notify import Delivery

STEPS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds to wait after the first, second, … try that failed: a page is urgent. From then on `HOURLY`."""
HOURLY: Final = 3600.0
SLOW: Final = 300.0
"""Seconds: the least to wait when only a person can make the next try succeed."""
JITTER: Final = 0.2
PATIENCE: Final = timedelta(hours=72)
TRIES: Final = len(STEPS) + 1 + int(PATIENCE.total_seconds() // HOURLY)
"""Tries that fill the patience. Both must be used up, so that neither a jump of the clock nor a busy receiver ends it early."""


def wait_after(attempts: int, delivery: Delivery, jitter: float) -> float:
    """Seconds until the next try after `attempts` tries; `jitter` in -1..1 moves it by up to 20 %. `retry_after` is never undercut."""
    step = STEPS[attempts - 1] if attempts <= len(STEPS) else HOURLY
    if delivery.result.alarming:
        step = max(step, SLOW)
    return max(step * (1 + JITTER * jitter), delivery.retry_after or 0.0)


def spent(attempts: int, age: timedelta) -> bool:
    """Whether a message has had its 72 hours. A clock that was set back may hide its age; twice the tries are enough in any case."""
    return attempts >= TRIES and (age >= PATIENCE or attempts >= 2 * TRIES)
