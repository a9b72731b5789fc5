"""Asking the anchors: can we see at all? A failed outcome is believed only after enough of them answered a round begun later.

Owns: the rounds, and who waits for them. Never: decides what being cut off means; that is a rule.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from monitor.model import Check
from probes import Seen, Workbench, run

SPACING: Final = 0.25
"""Seconds between the starts of two rounds at the least: a storm of failures asks the anchors no faster than this."""

REGULAR: Final = 10.0
"""Seconds after which the anchors are asked even if nobody failed."""


class Anchors:
    """One round at a time; whoever asks waits for a round that began after the question."""

    def __init__(
        self, anchors: Sequence[Check], workbench: Workbench, heard: Callable[[Mapping[str, bool], datetime], None]
    ) -> None:
        self._anchors, self._workbench, self._heard = tuple(anchors), workbench, heard
        self._wanted = asyncio.Event()
        self._next: asyncio.Future[Mapping[str, bool]] | None = None

    async def ask(self) -> Mapping[str, bool]:
        """Which anchors answer, by a round that begins after now. Empty when none is configured."""
        if not self._anchors:
            return {}
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        self._wanted.set()
        return await asyncio.shield(self._next)

    async def serve(self) -> None:
        """Hold rounds until cancelled: when somebody asks, and regularly."""
        while self._anchors:
            try:
                async with asyncio.timeout(REGULAR):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            asked, self._next = self._next, None
            began = self._workbench.now()
            answers = await self._round()
            self._heard(answers, began)
            if asked is not None and not asked.done():
                asked.set_result(answers)
            await asyncio.sleep(SPACING)

    async def _round(self) -> Mapping[str, bool]:
        outcomes = await asyncio.gather(
            *(
                run(anchor.kind, anchor.spec, self._workbench, timeout=anchor.timeout.total_seconds())
                for anchor in self._anchors
            )
        )
        return {anchor.id: outcome.seen is Seen.OK for anchor, outcome in zip(self._anchors, outcomes, strict=True)}
