"""How often somebody may come: a token bucket of two numbers."""


class Bucket:
    """`size` at once, then `rate` a second. Time is the caller's, in seconds of a steady clock."""

    __slots__ = ("_at", "_left", "_rate", "_size")

    def __init__(self, size: float, rate: float) -> None:
        self._size, self._rate = size, rate
        self._left, self._at = size, 0.0

    def take(self, now: float) -> float:
        """Take one: 0.0 when there was one, else the seconds until there will be."""
        self._left = min(self._size, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._rate
        self._left -= 1.0
        return 0.0
