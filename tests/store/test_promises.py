"""The small promises of the design, measured: bytes written for a sample while it is hot, and bytes it takes when sealed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from monitor.model import CheckState, Policy, State
from monitor.rules.judge import step
from monitor.store import Batch, Sample, open_store
from probes.contract import Outcome, Reason, Seen
from tests.store.conftest import NOW
from tests.store.test_chunks import day

START = datetime(2026, 11, 21, tzinfo=UTC)
HOT_BYTES, SEALED_BYTES = 100, 3


def written() -> int:
    """Bytes this process has sent towards the disk by its own account: every write call, whether or not the kernel wrote it yet."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("wchar")).split()[1])


async def test_a_hot_sample_costs_a_hundred_bytes_of_writing_at_most(tmp_path):
    """Ten thousand samples of 500 checks and their states as the judge leaves them, in transactions of 500, log and checkpoints."""
    checks = [f"tslcd.{number}/v4" for number in range(500)]
    states = {check: CheckState(check=check, state=State.UP, since=START) for check in checks}
    policy = Policy()
    random = np.random.default_rng(3)
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:

        async def round_(number: int) -> None:
            samples = []
            for place, check in enumerate(checks):
                at = START + number * timedelta(seconds=30) + place * timedelta(milliseconds=17)
                outcome = Outcome(
                    seen=Seen.OK,
                    reason=Reason.OK,
                    detail="",
                    started_at=at,
                    seconds=float(random.lognormal(-3, 0.3)),
                    facts={"loss": 0.0, "rtt": 0.0123, "jitter": float(random.gamma(2, 0.001)), "mos": 4.4},
                )
                states[check] = step(states[check], outcome, policy, at).state
                samples.append(Sample.of(check, outcome))
            await store.commit(Batch(samples=samples, checks=list(states.values())))

        for number in range(3):  # until the states are settled
            await round_(number)
        before = written()
        for number in range(3, 43):
            await round_(number)
    cost = (written() - before) / (40 * 500)
    print(f"bytes written for a hot sample with loss, rtt and jitter: {cost:.1f}")
    assert cost <= HOT_BYTES


async def test_a_sealed_sample_takes_three_bytes_of_the_file_at_most(tmp_path):
    """Days of 30-second checks with noisy latencies, in the database's own pages, the hourly rows aside."""
    random = np.random.default_rng(7)
    days, checks = 2, 12
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        for number in range(checks):
            for which in range(days):
                start = START + which * timedelta(days=1)
                columns = day(random, 2880, 30)
                first = int(columns.at[0])
                samples = [
                    Sample(
                        check=f"n{number}/x",
                        at=start + timedelta(microseconds=100 * (at - first)),
                        seen=Seen.OK if verdict == 0 else Seen.FAILED,
                        reason=Reason.OK if verdict == 0 else Reason.TIMEOUT,
                        seconds=seconds / 10_000,
                    )
                    for at, verdict, seconds in zip(
                        columns.at.tolist(), columns.verdict.tolist(), columns.seconds.tolist(), strict=True
                    )
                ]
                await store.commit(Batch(samples=samples))
        done = await store.seal(START + timedelta(days=days + 1))
        assert done.finished
        assert done.samples == checks * days * 2880
        async with store._database.reader() as connection:
            found = await connection.exec_driver_sql("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%chunks%'")
            (pages,) = found.one()
        kept = await store.samples("n0/x", START, START + timedelta(days=days))
    assert len(kept) == days * 2880
    cost = pages / (checks * days * 2880)
    print(f"bytes in the file for a sealed sample: {cost:.2f}")
    assert cost <= SEALED_BYTES
