"""Rules over an XML document or a page: `//m:Code == "0"`, `count(//m:Item) >= 1`, `//m:State =~ "^(sent|received)$"`, `//m:Ready`.

Owns: the little language around XPath 1.0, its namespaces, and what an expression may cost on a document that a target made.
Never: evaluates an expression with what XPath 1.0 does not have (no `document()`, no EXSLT, no regular expressions that backtrack).

rule    := expr op literal | expr;  op := == != < <= > >= =~ !~ ; a bare expression must be true as `boolean(expr)` is
literal := a JSON literal, or a text in single quotes; with a number or true/false, the text that was found is read as one
Of several nodes the first in the order of the document counts. One that is missing makes the rule false, marked `(INVALID)`.

What it costs: libxml2 puts the nodes of a step together by comparing each with each, so `//a//b` on 90 KB of nested <a> takes a quarter of a
minute. An expression with one step over the whole document is linear; any further such step has to fit the budget with the document at hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from probes import jsonrule
from probes.contract import ProbeError, Reason
from probes.text import one_line
from probes.xml import SOAP, SOAP12, Document, value_of

BUDGET: Final = 200_000_000
"""Steps of one evaluation, estimated from above: up to a second, off the loop."""
LENGTH_LIMIT: Final = 1000
"""Characters of an expression."""
WIDE_LIMIT: Final = 8
"""Steps of one expression that may look at the whole document."""

NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "soap": SOAP,
        "soap12": SOAP12,
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xsd": "http://www.w3.org/2001/XMLSchema",
        "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
        "wsa": "http://www.w3.org/2005/08/addressing",
        "ds": "http://www.w3.org/2000/09/xmldsig#",
    }
)
"""Prefixes that need not be declared."""

_LITERALS = re.compile(r"\"[^\"]*\"|'[^']*'")
_PREFIX = re.compile(r"(?<![\w.:-])([^\W\d][\w.-]*):(?!:)")
_CALL = re.compile(r"(?<![\w.:-])([^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?)\s*\(")
_WIDE = re.compile(r"//|(?:descendant|following|preceding|ancestor)[a-z-]*\s*::|parent\s*::|\.\.")
_WAYS = re.compile(r"[|=<>,(]|\s(?:and|or|div|mod)\s")
_ABSOLUTE = re.compile(r"(?:[\[(,=<>+*|-]|\b(?:and|or|div|mod)\b)\s*/")
_OPERATOR = re.compile(r"==|!=|<=|>=|=~|!~|<|>")
_JOINED = re.compile(r"\s(?:and|or)\s|(?<![=!<>])=(?![=~])")
_OWN_OPERATORS: Final = ("==", "=~", "!~")
_FUNCTIONS: Final = re.compile(
    r"last|position|count|id|local-name|namespace-uri|name|string|concat|starts-with|contains|substring(-before|-after)?|string-length"
    r"|normalize-space|translate|boolean|not|true|false|lang|number|sum|floor|ceiling|round"
    r"|text|node|comment|processing-instruction|and|or|div|mod"
)


@dataclass(frozen=True, slots=True)
class Expression:
    """One XPath 1.0 expression, compiled. `chain` and `nested`: steps that may look at the whole document, outside and inside of brackets."""

    text: str
    chain: int = field(compare=False)
    nested: int = field(compare=False)
    evaluate: Any = field(compare=False, repr=False)
    weight: float = field(default=8.0, compare=False)
    """What a nested step costs: comparing texts, or (less) counting nodes."""

    def of(self, document: Document) -> Any:
        """A list of nodes, a text, a number or a truth. ProbeError `body_too_large` when that could take too long."""
        from lxml import etree

        if self.chain > 1 or self.nested:
            cost = float(document.pieces) * (document.pieces * self.weight) ** self.nested
            if self.chain > 1:
                cost *= document.pieces * document.depth * self.chain
            if cost > BUDGET:
                raise ProbeError(
                    Reason.BODY_TOO_LARGE,
                    f"a document of {document.pieces} tags and attributes is too large for {one_line(self.text, 60)}: name the way with fewer //",
                )
        try:
            return self.evaluate(document.root)
        except etree.XPathError as error:
            raise ProbeError(Reason.XPATH, f"{one_line(self.text, 80)}: {one_line(str(error), 80)}") from None

    def first(self, document: Document) -> str | float | bool | None:
        """The value that counts: the first node's text, or what the expression gave; None when there is no such node."""
        value = self.of(document)
        if isinstance(value, list):
            return value_of(value[0]) if value else None
        return value_of(value) if isinstance(value, str) else value


def expression(text: str, namespaces: Mapping[str, str] = MappingProxyType({})) -> Expression:
    """Compile an expression with the prefixes it may use; ValueError says what is wrong with it."""
    return _expression(text.strip(), tuple(sorted(namespaces.items())))


@lru_cache(maxsize=4096)
def _expression(text: str, namespaces: tuple[tuple[str, str], ...]) -> Expression:
    from lxml import etree  # Only those who look into XML wait for it.

    known = {**NAMESPACES, **dict(namespaces)}
    if not text or len(text) > LENGTH_LIMIT:
        raise ValueError(f"an XPath has 1 to {LENGTH_LIMIT} characters")
    bare = _LITERALS.sub(lambda match: "'" + "x" * (len(match[0]) - 2) + "'", text)
    for prefix in _PREFIX.findall(bare):
        if prefix not in known:
            raise ValueError(
                f"{text!r}: the prefix {prefix} is not known; say which name it stands for: namespaces: {{{prefix}: …}}"
            )
    for name in _CALL.findall(bare):
        if _FUNCTIONS.fullmatch(name) is None:
            raise ValueError(f"{text!r}: XPath 1.0 has no function {name}()")
    if "$" in bare:
        raise ValueError(f"{text!r}: there are no variables in this XPath")
    chain, nested = _wide(bare)
    if chain + nested > WIDE_LIMIT:
        raise ValueError(f"{text!r}: more than {WIDE_LIMIT} of // and of axes that lead all over the document")
    try:
        made = etree.XPath(text, namespaces=known, regexp=False, smart_strings=False)
        made(etree.fromstring(b"<x/>"))
    except etree.XPathError as error:
        raise ValueError(f"{text!r} is not an XPath: {error}") from None
    return Expression(text, chain, nested, made)


def _wide(bare: str) -> tuple[int, int]:
    """How many steps may look at the whole document: outside of predicates the most of one way, and inside of predicates all."""
    depths, depth = [], 0
    for letter in bare:
        depth -= letter == "]"
        depths.append(depth)
        depth += letter == "["
    outside = "".join(letter if not depths[at] else " " for at, letter in enumerate(bare))
    wide = [depths[match.start()] for match in _WIDE.finditer(bare)]
    # An absolute way within a predicate is taken anew for every node.
    again = [
        depths[match.end() - 1] for match in _ABSOLUTE.finditer(bare) if not bare.startswith("//", match.end() - 1)
    ]
    chain = max(len(_WIDE.findall(way)) for way in _WAYS.split(outside))
    return chain, sum(depth > 0 for depth in (*wide, *again))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, parsed; equal when written the same."""

    text: str
    expression: Expression = field(compare=False)
    op: str = field(compare=False)
    literal: Any = field(compare=False)

    @property
    def about_faults(self) -> bool:
        """Whether it asks for a SOAP Fault itself: then a Fault is what was expected, or the rule says that it was not."""
        return "Fault" in self.expression.text

    def broken(self, document: Document) -> str | None:
        """None when the document keeps the rule; else what was found instead, for a person. ProbeError as `Expression.of`."""
        if not self.op:
            value = self.expression.of(document)
            true = value == value and bool(value)  # XPath's NaN is false.
            return None if true else f"{self.text}: not so"
        found = self.expression.first(document)
        if found is None:
            return f"{self.text}: (INVALID) nothing there"
        try:
            kept = jsonrule.holds(self.op, _as(found, self.literal), self.literal)
        except jsonrule.Invalid as error:
            return f"{self.text}: (INVALID) {error}, got {_shown(found)}"
        return None if kept else f"{self.text}: got {_shown(found)}"


def parse(text: str, namespaces: Mapping[str, str] = MappingProxyType({})) -> Rule:
    """Read a rule; ValueError says what is wrong with it."""
    text = text.strip()
    bare = _LITERALS.sub(lambda match: "\0" * len(match[0]), text)
    depth, at = 0, 0
    while at < len(bare):
        depth += (bare[at] in "[(") - (bare[at] in "])")
        match = None if depth else _OPERATOR.match(bare, at)
        if match is None:
            at += 1
            continue
        op, rest = match[0], text[match.end() :].strip()
        if op not in _OWN_OPERATORS and _JOINED.search(bare[: match.start()]):
            at = match.end()  # Part of a larger truth, in XPath's own words.
            continue
        try:
            literal = jsonrule.literal(op, rest)
        except ValueError:
            if op in _OWN_OPERATORS:
                raise
            at = match.end()  # XPath's own comparison, with another expression.
            continue
        if literal is None:
            raise ValueError(f"{text!r}: XPath has no null")
        return Rule(text, expression(text[: match.start()], namespaces), op, literal)
    return Rule(text, expression(text, namespaces), "", True)


def _as(found: str | float | bool, literal: Any) -> Any:
    """What was found, as the kind of thing that the literal is; Invalid when it is no such thing."""
    if isinstance(literal, str):
        return found if isinstance(found, str) else value_of(found)
    if isinstance(literal, bool):
        said = (
            {"true": True, "1": True, "false": False, "0": False}.get(found.strip())
            if isinstance(found, str)
            else found
        )
        if not isinstance(said, bool):
            raise jsonrule.Invalid("not true or false")
        return said
    if isinstance(found, bool):
        raise jsonrule.Invalid("not a number")
    try:
        return float(found if len(str(found)) < 400 else "")
    except ValueError:
        raise jsonrule.Invalid("not a number") from None


def _shown(found: str | float | bool) -> str:
    return repr(one_line(found, 60)) if isinstance(found, str) else value_of(found)
