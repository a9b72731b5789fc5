"""Text that came from elsewhere, made harmless before it is told to anybody.

Owns: no letter that a chat program would act on. Never: escapes for one particular chat; what could be mark-up somewhere is replaced by a
letter that looks alike.
"""

from typing import Final

from probes.text import one_line

_HARMLESS: Final = str.maketrans(
    {
        "@": "＠",  # @everyone, @here, mail addresses
        "<": "‹",  # <!channel>, <script>
        ">": "›",
        "[": "❲",  # [a link](…)
        "]": "❳",
        "`": "'",
        "*": "∗",
        "|": "¦",
        "~": "∼",
    }
)


def harmless(text: str, limit: int = 200) -> str:
    """`text` on one line, for people who will forward it to a chat: no letter in it starts mark-up, a mention or a link's label."""
    return one_line(text, limit).translate(_HARMLESS)
