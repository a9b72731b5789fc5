"""Good answers made bad: the same case always gives the same bytes."""

import random
from collections.abc import Sequence

MOST = 96 * 1024
"""Bytes of one mutated answer: enough to overflow a line, little enough that the run's own memory can be told from the server's."""

EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

WORDS = (
    b"\0", b"\r\n", b"\n", b"\xff" * 8, b"\0" * 40, b"%s%n", b"../", b"\x1b[31m", "một\u202e".encode(), b"\xed\xa0\x80", b"-1",
    b"99999999999999999999", b"1e999", b"NaN", b"<!DOCTYPE", b"'\"", b"x" * 5000, b"[" * 3000, b"\xc0\xc0" * 60, b"0\x80" * 200,
    b"\x30\x84\xff\xff\xff\xff",
)  # fmt: skip


def mutate(chance: random.Random, answers: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of the answers with up to five mutations; sometimes it stays as it is, sometimes nothing of it stays."""
    data = bytearray(chance.choice(answers))
    words = (*WORDS, *words, *words)  # What means something in the protocol twice as often.
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 2, 3, 5))):
        _change(chance, data, answers, words)
    return bytes(data[:MOST])


def _change(chance: random.Random, data: bytearray, answers: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(13):
        case 0 | 1 if data:  # A bit flips.
            data[at % len(data)] ^= 1 << chance.randrange(8)
        case 2 if data:  # A byte changes.
            data[at % len(data)] = chance.randrange(256)
        case 3:  # Something is put in.
            data[at:at] = chance.choice(words)
        case 4:  # Something is missing.
            del data[at : at + chance.randint(1, 30)]
        case 5:  # Something comes twice.
            data[at:at] = data[at : at + chance.randint(1, 60)]
        case 6:  # It ends too early.
            del data[at:]
        case 7:  # Noise.
            data[at:at] = chance.randbytes(chance.randint(1, 20))
        case 8:  # It goes on as another answer.
            other = chance.choice(answers)
            data[at:] = other[chance.randrange(len(other) + 1) :]
        case 9 | 10:  # A field that may be a length or a count is at an edge.
            width = chance.choice((1, 2, 2, 4))
            value = (chance.choice(EDGES) + chance.choice((0, 0, -1, 1))) % (1 << 8 * width)
            data[at : at + width] = value.to_bytes(width, chance.choice(("big", "big", "little")))
        case 11:  # It says everything again.
            data += bytes(data) * chance.choice((1, 1, 2, 50))
        case _:
            if chance.random() < 0.3:  # Nothing of it is left.
                data[:] = chance.randbytes(chance.choice((0, 1, 4, 12, 20, 64, 500, 1500)))
            else:
                data[at:at] = chance.choice(answers)[:at]
