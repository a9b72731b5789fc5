"""CSS selectors for pages: `input[name=_csrf]@value` is the attribute, `h1` the text.

Owns: reading them, and finding what they name in time that grows with the page and not with its square.
Never: joins the steps of a selector as XPath would: `div div div input` on 20,000 elements made for it takes minutes there. Each step is
looked for by itself, and one walk over the page puts two of them together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from probes.xml import Document, value_of
from probes.xpathrule import LENGTH_LIMIT, Expression

_ATTRIBUTE = re.compile(r"@([A-Za-z_][\w:.-]*)\s*$")
PARTS_LIMIT: Final = 16
"""Steps of one selector."""


@dataclass(frozen=True, slots=True)
class Way:
    """One step, and how the steps before it stand to it (` `, `>`, `+` or `~`)."""

    step: Expression
    relation: str = ""
    before: "Way | None" = None

    @property
    def length(self) -> int:
        """How many steps."""
        return 1 + (self.before.length if self.before is not None else 0)

    def of(self, document: Document) -> list[Any]:
        """Every element at its end, in the order of the page. ProbeError as `Expression.of`."""
        found: list[Any] = self.step.of(document)
        if self.before is None or not found:
            return found
        marked = set(self.before.of(document))
        if self.relation == ">":
            return [element for element in found if element.getparent() in marked]
        if self.relation == "+":
            return [element for element in found if element.getprevious() in marked]
        reached = _after(document, marked, siblings=self.relation == "~")
        return [element for element in found if element in reached]


def _after(document: Document, marked: set[Any], *, siblings: bool) -> set[Any]:
    """All that stand below one of the marked elements, or behind one among the same parent's."""
    reached: set[Any] = set()
    for element in document.root.iter():
        from_where = element.getprevious() if siblings else element.getparent()
        if from_where is not None and (from_where in marked or from_where in reached):
            reached.add(element)
    return reached


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector, compiled: its ways (there are several with a comma between them), and the attribute that is meant."""

    text: str
    ways: Sequence[Way]
    attribute: str | None

    def first(self, document: Document) -> str | None:
        """The attribute or the text of the first element that matches and has it; None when none does. ProbeError as `Expression.of`."""
        nodes = self.ways[0].of(document)
        if len(self.ways) > 1:
            among = {element for way in self.ways for element in way.of(document)}
            nodes = [element for element in document.root.iter() if element in among]
        if self.attribute is None:
            return value_of(nodes[0]) if nodes else None
        found = next((value for node in nodes if (value := node.get(self.attribute)) is not None), None)
        return None if found is None else value_of(found)


@lru_cache(maxsize=1024)
def selector(text: str) -> Selector:
    """Compile `selector` or `selector@attribute`; ValueError says what is wrong with it."""
    from cssselect import HTMLTranslator, SelectorError, parse
    from lxml import etree

    match = _ATTRIBUTE.search(text)
    plain = (text[: match.start()] if match else text).strip()
    if not plain or len(plain) > LENGTH_LIMIT:
        raise ValueError(
            f"a selector has 1 to {LENGTH_LIMIT} characters, and an attribute behind an @ when that is meant"
        )
    try:
        translator = HTMLTranslator()
        ways = [_way(one.parsed_tree, translator) for one in parse(plain) if not one.pseudo_element]
    except (SelectorError, etree.XPathError) as error:
        raise ValueError(f"{text!r} is not a CSS selector: {error}") from None
    if not ways or sum(way.length for way in ways) > PARTS_LIMIT:
        raise ValueError(f"{text!r}: a selector has 1 to {PARTS_LIMIT} steps and no ::pseudo-element")
    return Selector(text, ways, match[1] if match else None)


def _way(tree: Any, translator: Any) -> Way:
    from cssselect.parser import CombinedSelector, Relation
    from lxml import etree

    if isinstance(tree, CombinedSelector):
        last = _way(tree.subselector, translator)
        return Way(last.step, tree.combinator, _way(tree.selector, translator))
    if isinstance(tree, Relation):
        raise ValueError(":has() is not looked for: name the element itself")  # noqa: TRY004 - what is typed, not a type.
    path = f"descendant-or-self::{translator.xpath(tree)}"
    made = etree.XPath(path, regexp=False, smart_strings=False)
    if "descendant" in path[10:] or "//" in path:
        raise ValueError(":has() is not looked for: name the element itself")
    # :nth-child and its kind count the siblings of each element anew.
    return Way(Expression(tree.canonical(), 1, int("-sibling::" in path), made, weight=1.0))
