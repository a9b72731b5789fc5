"""The daemon under cProfile: `python -m tests.bench.profiled FILE run --config …`; the scenes use it where BENCH_PROFILE names a file.

It profiles a stretch in mid-work (BENCH_PROFILE_AFTER and _FOR seconds: 35 and 25) and prints into FILE by own and by cumulated time.
"""

import cProfile
import os
import pstats
import signal
import sys
from pathlib import Path
from types import FrameType

from monitor.cli import main


def profiled(where: Path) -> None:
    """Begin and end by the alarm, in the loop's own thread."""
    profile = cProfile.Profile()
    length = float(os.environ.get("BENCH_PROFILE_FOR", "25"))

    def begin(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, length)
        profile.enable()

    def end(_number: int, _frame: FrameType | None) -> None:
        profile.disable()
        with where.open("w") as out:
            for order in ("tottime", "cumtime"):
                pstats.Stats(profile, stream=out).strip_dirs().sort_stats(order).print_stats(70)

    signal.signal(signal.SIGALRM, begin)
    signal.setitimer(signal.ITIMER_REAL, float(os.environ.get("BENCH_PROFILE_AFTER", "35")))


if __name__ == "__main__":
    profiled(Path(sys.argv.pop(1)))
    main()
