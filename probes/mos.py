"""An estimate of how speech over a link would sound: the E-model of ITU-T G.107, reduced to delay and loss.

Owns: the formula and its constants (G.711 with packet loss concealment).
Never: speaks of pictures. It is an estimate for speech ("MOS ước tính (thoại)"), not a measure of video quality.
"""

from typing import Final

DEFAULT_R: Final = 93.2
"""Rating of a perfect narrow-band connection with all other G.107 defaults."""

IE: Final = 0.0
"""Equipment impairment of G.711 (ITU-T G.113 appendix I)."""

BPL: Final = 25.1
"""Packet-loss robustness of G.711 with concealment (ITU-T G.113 appendix I)."""

CODEC_DELAY: Final = 0.020
"""Seconds spent filling one packet of 20 ms."""


def rating(one_way: float, loss: float, *, ie: float = IE, bpl: float = BPL, burst: float = 1.0) -> float:
    """The transmission rating R.

    `one_way` is the mouth-to-ear delay in *seconds, one way* (not the round trip); `loss` is a ratio 0..1; `burst` is G.107's BurstR,
    1 for losses that come singly.
    """
    milliseconds = one_way * 1000.0
    delay = 0.024 * milliseconds
    if milliseconds > 177.3:
        delay += 0.11 * (milliseconds - 177.3)
    percent = loss * 100.0
    return DEFAULT_R - delay - (ie + (95.0 - ie) * percent / (percent / burst + bpl))


def opinion(r: float) -> float:
    """The mean opinion score 1..4.5 of a rating (G.107 annex B). The cubic dips below 1 for 0 < R < 6.5, hence the floor."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)


def mos(rtt: float, jitter: float, loss: float) -> float:
    """The score of a link from its round trip and jitter in seconds and its loss ratio: half the round trip, a buffer of twice the jitter."""
    return opinion(rating(rtt / 2.0 + 2.0 * jitter + CODEC_DELAY, loss))
