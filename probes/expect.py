"""What an HTTP answer must be: status, version, headers, body, JSON, size, TLS. Each key takes one value or a list; all must hold.

Owns: refusing what cannot be meant, compiling it once, and the first thing that an answer breaks.
Never: measures; decodes by a name that a target made up; runs a regular expression that could backtrack.
"""

import asyncio
import json
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict

from probes import jsonrule, xml, xpathrule
from probes.contract import Finding, ProbeError, Reason, failed
from probes.patterns import Regex, compiled
from probes.text import excerpt
from probes.units import size
from probes.wire.client import Response

CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

_RANGE = re.compile(r"(\d)xx|(\d{3})-(\d{3})|(\d{3})", re.IGNORECASE)
_SIZE = re.compile(r"(<=|>=|==|!=|<|>)\s*(.+)")
_OPS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
THREAD: Final = 8 * 1024
"""Bytes of a document from which on it is read beside the loop: a millisecond belongs to everybody."""


def statuses(item: int | str) -> frozenset[int]:
    """`200`, `"2xx"` or `"300-399"` as the codes it stands for; ValueError when it is none of them."""
    match = None if isinstance(item, bool) else _RANGE.fullmatch(str(item).strip())
    if match is None:
        raise ValueError(f'{item!r} is not a status: write 200, "2xx" or "300-399"')
    hundred, low, high, one = match.groups()
    first, last = (int(hundred) * 100, int(hundred) * 100 + 99) if hundred else (int(low or one), int(high or one))
    if first < 100 or last > 599 or first > last:
        raise ValueError(f"{item!r} is not a status: they run from 100 to 599")
    return frozenset(range(first, last + 1))


@lru_cache(maxsize=1024)
def accepted(items: tuple[int | str, ...]) -> frozenset[int]:
    """The codes that a list of statuses stands for; thousands of checks with the same list share one set."""
    return frozenset[int]().union(*map(statuses, items))


def sizes(text: str) -> tuple[Callable[[Any, Any], bool], int]:
    """`< 1MiB` as a comparison of bytes; ValueError when it is none."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a rule for a size: write < 1MiB or >= 100")
    return _OPS[match[1]], size(match[2])


def _many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _checked(check: Callable[[Any], Any]) -> AfterValidator:
    def validate(items: tuple[Any, ...]) -> tuple[Any, ...]:
        if not items:
            raise ValueError("an empty list expects nothing: leave the key out")
        for item in items:
            check(item)
        return items

    return AfterValidator(validate)


def _rule(value: Any) -> Any:
    return {"regex": value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRule:
    """A header's regular expression. `allow_missing`: what an absent header means; by default it breaks `header` and keeps `header_not`."""

    __pydantic_config__ = CONFIG

    regex: Regex
    allow_missing: bool | None = None


Statuses = Annotated[
    tuple[int | str, ...],
    BeforeValidator(_many, json_schema_input_type=int | str | list[int | str]),
    _checked(statuses),
]
Regexes = Annotated[tuple[Regex, ...], BeforeValidator(_many, json_schema_input_type=Regex | list[Regex])]
Rules = Annotated[
    tuple[str, ...], BeforeValidator(_many, json_schema_input_type=str | list[str]), _checked(jsonrule.parse)
]
Sizes = Annotated[tuple[str, ...], BeforeValidator(_many, json_schema_input_type=str | list[str]), _checked(sizes)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_many, json_schema_input_type=str | list[str])]
Version = Annotated[Literal["1.0", "1.1", "2"], BeforeValidator(lambda value: {2.0: "2"}.get(value, str(value)))]
Versions = Annotated[tuple[Version, ...], BeforeValidator(_many, json_schema_input_type=Version | list[Version])]
_OneRule = Annotated[HeaderRule, BeforeValidator(_rule, json_schema_input_type=Regex | HeaderRule)]
HeaderRules = Mapping[
    str,
    Annotated[tuple[_OneRule, ...], BeforeValidator(_many, json_schema_input_type=Regex | HeaderRule | list[Regex])],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What must hold of the final answer. Nothing said of `status` means any 2xx."""

    __pydantic_config__ = CONFIG

    status: Statuses = ("2xx",)
    version: Versions = ()
    header: HeaderRules = field(default_factory=lambda: MappingProxyType({}))
    header_not: HeaderRules = field(default_factory=lambda: MappingProxyType({}))
    body: Regexes = ()
    body_not: Regexes = ()
    json: Rules = ()
    xpath: Texts = ()
    namespaces: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    size: Sizes = ()
    tls: bool | None = None
    _plan: "Plan" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", Plan(self))

    def check(self, response: Response) -> Finding | None:
        """The first thing that the answer breaks, in the order of the keys' cost, all but `xpath`; None when they hold."""
        return self._plan.check(response)

    async def judge(self, response: Response) -> Finding | None:
        """The same with `xpath`, beside the loop when the document is large.

        A SOAP Fault is a failure, whatever its status (SOAP 1.1 sends it with 500, many services with 200), unless an expression asks for
        a Fault itself. Without `xpath` nobody looks into the body for one.
        """
        finding = self._plan.check(response)
        if not self.xpath or (finding is not None and finding.reason is not Reason.STATUS):
            return finding
        if len(response.body) < THREAD:
            return self._plan.check_document(response, finding)
        return await asyncio.to_thread(self._plan.check_document, response, finding)

    @property
    def uses_regex(self) -> bool:
        """Whether `failed_due_to_regex` has a meaning."""
        return bool(self.body or self.body_not or self.header or self.header_not)


class Plan:
    """An `Expect`, compiled."""

    __slots__ = ("_accepted", "_body", "_body_not", "_expect", "_headers", "_json", "_sizes", "_xpath")

    def __init__(self, expect: Expect) -> None:
        self._expect = expect
        self._accepted = accepted(expect.status)
        self._body = [(text, compiled(unicodedata.normalize("NFC", text))) for text in expect.body]
        self._body_not = [(text, compiled(unicodedata.normalize("NFC", text))) for text in expect.body_not]
        self._json = [jsonrule.parse(text) for text in expect.json]
        self._sizes = [(text, *sizes(text)) for text in expect.size]
        if expect.namespaces and not expect.xpath:
            raise ValueError("namespaces: they are for xpath, which is not there")
        self._xpath = [_rule_of("xpath", text, expect.namespaces) for text in expect.xpath]
        self._headers = [
            (name, name.lower().encode("latin-1"), compiled(rule.regex), rule, wanted)
            for wanted, table in ((True, expect.header), (False, expect.header_not))
            for name, rules in table.items()
            for rule in rules
        ]

    def check(self, response: Response) -> Finding | None:
        """See `Expect.check`."""
        expect = self._expect
        if expect.tls is not None and expect.tls is not response.tls:
            if expect.tls:
                return failed(Reason.NOT_TLS, "the final answer came over plain HTTP")
            return failed(Reason.UNEXPECTED_TLS, "the final answer came over TLS")
        if response.status not in self._accepted:
            wanted = ", ".join(map(str, expect.status))
            return failed(Reason.STATUS, f"status {response.status}, expected {wanted}")
        if expect.version and response.version.removesuffix(".0") not in [v.removesuffix(".0") for v in expect.version]:
            return failed(Reason.VERSION, f"HTTP/{response.version}, expected {', '.join(expect.version)}")
        if self._headers and (finding := self._check_headers(response)) is not None:
            return finding
        for text, compare, limit in self._sizes:
            if not compare(len(response.body), limit):
                return failed(Reason.BODY_SIZE, f"{len(response.body)} bytes of body, expected {text}")
        if (self._body or self._body_not) and (finding := self._check_body(response)) is not None:
            return finding
        if self._json and (finding := self._check_json(response)) is not None:
            return finding
        return None

    def check_document(self, response: Response, broken: Finding | None) -> Finding | None:
        """What the expressions find in the body, or `broken`, which was found before them; see `Expect.judge`."""
        try:
            document = xml.read(bytes(response.body), response.values(b"content-type"))
            if not any(rule.about_faults for rule in self._xpath) and (said := xml.fault(document)) is not None:
                return failed(Reason.SOAP_FAULT, f"status {response.status} with a SOAP Fault: {said}")
            for rule in () if broken is not None else self._xpath:
                different = rule.broken(document)
                if different is not None:
                    return failed(Reason.XPATH, different)
        except ProbeError as error:
            return broken or error.finding
        return broken

    def _check_headers(self, response: Response) -> Finding | None:
        for name, key, pattern, rule, wanted in self._headers:
            values = response.values(key)
            if not values:
                missing_breaks = wanted if rule.allow_missing is None else not rule.allow_missing
                if missing_breaks:
                    return failed(Reason.HEADER, f"no header {name}")
                continue
            # Every value counts: the second Set-Cookie may be the wrong one.
            found = next((value for value in values if pattern.search(value) is not None), None)
            if wanted and found is None:
                return failed(Reason.HEADER, f"header {name} is {excerpt(values[0])}, expected {rule.regex}")
            if not wanted and found is not None:
                return failed(Reason.HEADER, f"header {name} is {excerpt(found)}, which must not match {rule.regex}")
        return None

    def _check_body(self, response: Response) -> Finding | None:
        text = readable(response)
        for written, pattern in self._body:
            if pattern.search(text) is None:
                return failed(Reason.BODY_REGEX, f"the body does not match {written}")
        for written, pattern in self._body_not:
            if pattern.search(text) is not None:
                return failed(Reason.BODY_REGEX, f"the body matches {written}, which it must not")
        return None

    def _check_json(self, response: Response) -> Finding | None:
        try:
            document = json.loads(response.body)
        except (
            ValueError,
            RecursionError,
        ):  # Not JSON, not UTF-8/16/32, a number of a million digits, brackets without end.
            what = (
                "the body is empty"
                if not response.body
                else f"the body is not JSON: {excerpt(bytes(response.body[:400]))}"
            )
            return failed(Reason.JSON, what)
        for rule in self._json:
            broken = rule.broken(document)
            if broken is not None:
                return failed(Reason.JSON, broken)
        return None


def readable(response: Response) -> bytes:
    """The body as UTF-8 in composed form (NFC), as expressions see it. A declared charset counts only when it is a text's;
    what is not valid stays as bytes that match nothing but themselves."""
    body = bytes(response.body)
    if body.isascii():
        return body
    charset = _declared(response)
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        charset = "utf-16"
    text = body.decode(charset or "utf-8", "replace")
    if unicodedata.is_normalized("NFC", text):
        return text.encode("utf-8", "replace") if charset else body
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")


def _declared(response: Response) -> str | None:
    """The charset to read the body by; None for UTF-8, which is what is read anyway."""
    name = xml.declared(response.values(b"content-type"))
    return None if name is None or name in ("utf-8", "utf8", "us-ascii", "ascii") else name


def _rule_of(key: str, text: str, namespaces: Mapping[str, str]) -> xpathrule.Rule:
    try:
        return xpathrule.parse(text, namespaces)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
