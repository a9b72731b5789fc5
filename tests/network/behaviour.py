"""How a link of the shim behaves: drawn for every packet from chances of its own with a fixed seed, so that a run can be had again.

Owns: what is decided for a packet. Never: packets, clocks, sockets.
"""

import math
import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bursts:
    """Loss after Gilbert (1960) and Elliott (1963): two states, stepped once a packet, each with a loss of its own.

    `worsens` and `heals` are the chances to go from good to bad and back; so the mean burst is 1/heals packets.
    """

    worsens: float
    heals: float
    good: float = 0.0
    bad: float = 1.0

    @property
    def loss(self) -> float:
        """The share that is lost in the long run."""
        share = self.worsens / (self.worsens + self.heals)
        return share * self.bad + (1 - share) * self.good

    @property
    def memory(self) -> float:
        """How one packet's state hangs on the one before (the chain's second eigenvalue): 0 when losses are independent."""
        return 1 - self.worsens - self.heals

    def deviation(self, count: int) -> float:
        """Standard deviation of the share lost of `count` packets in a row, for large counts: independent loss, widened by the memory."""
        share = self.worsens / (self.worsens + self.heals)
        wide = 2 * share * (1 - share) * (self.bad - self.good) ** 2 * self.memory / (1 - self.memory)
        return math.sqrt((self.loss * (1 - self.loss) + wide) / count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a link does to echo requests. Chances are shares of the packets, times are seconds.

    `jitter` is the standard deviation of the delay (normal, never below nought). `late` of the packets are answered `late_by` later than the
    others, and `behind` of them `behind_by` later: enough to be overtaken by the next. `forged`: before the true echo goes one with a changed token.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    bursts: Bursts | None = None
    duplicates: float = 0.0
    late: float = 0.0
    late_by: float = 5.0
    behind: float = 0.0
    behind_by: float = 0.03
    forged: float = 0.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one packet: seconds after which each echo goes back (none: lost), and whether a forged one goes before."""

    echoes: tuple[float, ...] = ()
    forged: bool = False
    late: bool = False


@dataclass(slots=True)
class Link:
    """One address and its own chances: what happens here does not hang on how often others are asked."""

    behaviour: Behaviour
    chance: random.Random
    bad: bool = field(default=False)

    def fate(self) -> Fate:
        """Of the next packet. As many numbers are drawn for each, whatever comes of it."""
        b, chance = self.behaviour, self.chance
        lost, move, burst, twice, late, behind, forged = (chance.random() for _ in range(7))
        delay = max(0.0, chance.gauss(b.delay, b.jitter)) if b.jitter else b.delay
        gone = lost < b.loss
        if b.bursts is not None:
            self.bad = move >= b.bursts.heals if self.bad else move < b.bursts.worsens
            gone = gone or burst < (b.bursts.bad if self.bad else b.bursts.good)
        if gone:
            return Fate()
        if late < b.late:
            delay += b.late_by
        if behind < b.behind:
            delay += b.behind_by
        return Fate((delay,) * (2 if twice < b.duplicates else 1), forged < b.forged, late < b.late)
