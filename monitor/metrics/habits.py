"""What is normal for checks, as far as it is known: only of checks with a condition that looks back over time.

Owns: one series for each fact that such a check learns. Never: decides what is normal.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from monitor.metrics.text import Block, Family, sample
from monitor.model import Catalogue

NORMAL: Final = Family(
    "thongsuot_check_normal",
    "What is normal for a fact of a check, learned from its own history, in the fact's base unit (seconds, ratio, bytes, ...)",
)


def blocks(catalogue: Catalogue, normals: Mapping[str, Mapping[str, float]]) -> Iterator[Block]:
    """The family, if anything is known. Checks that are not of the catalogue are left out."""
    lines = []
    for id, facts in normals.items():
        check = catalogue.checks.get(id)
        if check is None or check.node not in catalogue.nodes:
            continue
        about = {"check": id, "node": check.node, "type": catalogue.nodes[check.node].type}
        lines += [sample(NORMAL, {**about, "fact": fact}, value) for fact, value in facts.items()]
    if lines:
        yield Block(NORMAL, (lines,))
