"""What a sample costs the disk and the processor: while it is hot, once it is sealed, and beside one commit of an ORM per row in the same run."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from sqlalchemy import Float, Integer, String, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from monitor.store import Batch, Sample, Store, open_store
from probes.contract import Reason, Seen
from tests.bench.ground import alone
from tests.bench.scene import Figure, Missing, Scene
from tests.store.test_chunks import day
from tests.store.test_promises import written

START: Final = datetime(2026, 11, 21, tzinfo=UTC)
CHECKS: Final = 9963
COUNTRY: Final = 115
"""Samples in one of the desk's batches: what arrives in a third of a second of 20,000 verdicts by 9,963 runs every 30 s."""

PROVINCE: Final = 7
"""The same of 600 checks."""

BATCH: Final = 500
ROUNDS: Final = 7
ROWS: Final = 150
"""Commits of the ORM in one round."""


class Base(DeclarativeBase):
    """The rival's tables."""


class Row(Base):
    """A result as it is usually kept."""

    __tablename__ = "results"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    check: Mapped[str] = mapped_column(String, index=True)
    at: Mapped[str] = mapped_column(String)
    seen: Mapped[str] = mapped_column(String)
    reason: Mapped[str] = mapped_column(String)
    seconds: Mapped[float] = mapped_column(Float)


def play() -> Sequence[Figure | Missing]:
    seen = alone("tests.bench.store", {})
    return [
        Figure(
            name="Store: bytes of a sealed sample",
            value=seen["sealed"],
            unit="B",
            target=3,
            want="most",
            note="in the database's pages, exact to 0.1 ms",
        ),
        Figure(
            name="Store: bytes written for a hot sample",
            value=seen["full"],
            unit="B",
            target=100,
            want="most",
            note=f"{BATCH} in a transaction, log and checkpoint",
        ),
        Figure(name="Store: rows per CPU-second / one ORM commit per row", value=seen["ours"] / seen["orm"], unit="×"),
        Figure(name="Store, ours", value=seen["ours"], unit="rows/CPU-s", note=f"{BATCH} in a transaction"),
        Figure(
            name="Store, ours, in batches of the country",
            value=seen["country_rate"],
            unit="rows/CPU-s",
            note=f"{COUNTRY} in a transaction, {seen['country']:.0f} B written for each",
        ),
        Figure(
            name="Store, ours, in batches of the province",
            value=seen["province_rate"],
            unit="rows/CPU-s",
            note=f"{PROVINCE} in a transaction, {seen['province']:.0f} B written for each",
        ),
        Figure(
            name="Store, one ORM commit per row", value=seen["orm"], unit="rows/CPU-s", note="synchronous=FULL as ours"
        ),
    ]


def samples() -> Iterator[Sample]:
    """Endless rounds of the country's checks, in the order of time."""
    random = np.random.default_rng(5)
    checks = [f"commune.{number // 3:05d}/{('https', 'echo', 'http')[number % 3]}" for number in range(CHECKS)]
    at = START
    while True:
        seconds = random.lognormal(-3, 0.3, CHECKS).tolist()
        for number, check in enumerate(checks):
            at += timedelta(microseconds=3011)
            facts = {"loss": 0.0, "rtt": seconds[number], "jitter": seconds[number] / 20} if number % 3 == 1 else {}
            yield Sample(check=check, at=at, seen=Seen.OK, reason=Reason.OK, seconds=seconds[number], facts=facts)


async def hot(store: Store, stream: Iterator[Sample], size: int, batches: int) -> tuple[float, float]:
    """Bytes written for a sample, and samples per CPU-second, in transactions of that size."""
    whole = [[next(stream) for _ in range(size)] for _ in range(batches)]
    before, spent = written(), time.process_time()
    for each in whole:
        await store.commit(Batch(samples=each))
    return (written() - before) / (size * batches), size * batches / (time.process_time() - spent)


async def sealed(folder: Path) -> float:
    """Bytes that a sample takes once its day is over."""
    random, days, checks = np.random.default_rng(7), 2, 12
    async with await open_store("sqlite", folder, lambda: START) as store:
        for number in range(checks):
            for which in range(days):
                columns, start = day(random, 2880, 30), START + which * timedelta(days=1)
                first = int(columns.at[0])
                batch = [
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
                await store.commit(Batch(samples=batch))
        done = await store.seal(START + timedelta(days=days + 1))
        async with store._database.reader() as connection:
            found = await connection.exec_driver_sql("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%chunks%'")
            (pages,) = found.one()
    return float(pages) / done.samples


async def orm(folder: Path, stream: Iterator[Sample]) -> list[float]:
    """Rows per CPU-second of the usual way: a session, an object, a commit."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/orm.sqlite3")

    @event.listens_for(engine.sync_engine, "connect")
    def _(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    session, rates = async_sessionmaker(engine), []
    for _ in range(ROUNDS):
        spent = time.process_time()
        for _ in range(ROWS):
            one = next(stream)
            async with session() as open_session:
                row = Row(check=one.check, at=one.at.isoformat(), seen=one.seen, reason=one.reason, seconds=one.seconds)
                open_session.add(row)
                await open_session.commit()
        rates.append(ROWS / (time.process_time() - spent))
    await engine.dispose()
    return rates


async def perform() -> dict[str, float]:
    """One after the other in one process."""
    stream, answer = samples(), {}
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        for part in ("hot", "sealed", "orm"):
            (folder / part).mkdir()
        async with await open_store("sqlite", folder / "hot", lambda: START) as store:
            await hot(store, stream, BATCH, 2 * CHECKS // BATCH)
            full = [await hot(store, stream, BATCH, 20) for _ in range(ROUNDS)]
            country = [await hot(store, stream, COUNTRY, 12) for _ in range(ROUNDS)]
            province = [await hot(store, stream, PROVINCE, 12) for _ in range(ROUNDS)]
        for key, seen in (("full", full), ("country", country), ("province", province)):
            answer[key] = sum(each for each, _ in seen) / ROUNDS
            answer[f"{key}_rate"] = median(rate for _, rate in seen)
        answer["ours"] = answer["full_rate"]
        answer["sealed"] = await sealed(folder / "sealed")
        answer["orm"] = median(await orm(folder / "orm", stream))
    return answer


SCENE = Scene(name="store", title="What a sample costs to keep", play=play)

if __name__ == "__main__":
    print(json.dumps(asyncio.run(perform())))
