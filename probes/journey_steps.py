"""What a journey's step may say, and what of it is refused before anything is sent.

Owns: the keys of a step, of what is taken out of its answer, and of waiting. Never: sends anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field

from probes import css, jsonrule, xml, xpathrule
from probes.contract import ProbeError, Reason
from probes.expect import CONFIG, Expect, readable
from probes.httpauth import Auth
from probes.journey_fill import NAME, OWN, names
from probes.patterns import Regex, compiled
from probes.secret import Secret
from probes.text import one_line
from probes.units import Seconds
from probes.wire.client import Response
from probes.xml import VALUE_LIMIT

VERBS: Final = ("get", "post", "put", "delete")
NAME_LIMIT: Final = 60
"""Characters of a step's name."""
EXTRACT_LIMIT: Final = 20
"""Variables out of one answer."""

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
ANY_2XX: Final = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """Where a variable comes from, exactly one way: the first group of `regex` (all of it without a group) in the body, a `json` path,
    the first element or attribute that `css` (`a.next@href`) or `xpath` finds, the first value of a `header`.

    The value is kept out of every message, as a secret is, unless `secret: false` says that it may be shown.
    """

    __pydantic_config__ = CONFIG

    regex: Regex | None = None
    json: str | None = None
    css: str | None = None
    xpath: str | None = None
    header: str | None = None
    namespaces: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    secret: bool = True
    _path: tuple[str | int, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        if sum(way is not None for way in (self.regex, self.json, self.css, self.xpath, self.header)) != 1:
            raise ValueError("a variable comes from exactly one of regex, json, css, xpath and header")
        if self.namespaces and self.xpath is None:
            raise ValueError("namespaces: they are for xpath, which is not there")
        if self.json is not None:
            rule = jsonrule.parse(self.json)
            if rule.op or rule.length:
                raise ValueError(f"json: {self.json!r} is a rule; a variable takes a path alone, such as $.items[0].id")
            object.__setattr__(self, "_path", rule.path)
        if self.css is not None:
            css.selector(self.css)
        if self.xpath is not None:
            xpathrule.expression(self.xpath, self.namespaces)

    @property
    def shown(self) -> str:
        """The way, for a person."""
        way = self.regex or self.json or self.css or self.xpath or f"header {self.header}"
        return one_line(way, 80)

    @property
    def reads_document(self) -> bool:
        """Whether the body has to be read as XML or a page."""
        return self.css is not None or self.xpath is not None

    def of(self, answer: Response, read: dict[str, xml.Document]) -> str:
        """The value; ProbeError `step` when there is none, `soap_fault` when there is a SOAP Fault instead.

        `read` keeps the body as a document for the next variable out of the same answer.
        """
        found = self._find(answer, read)
        if found is None:
            raise ProbeError(Reason.STEP, f"nothing there for {self.shown}")
        if len(found) > VALUE_LIMIT:
            raise ProbeError(Reason.STEP, f"more than {VALUE_LIMIT} characters for {self.shown}")
        return found

    def _find(self, answer: Response, read: dict[str, xml.Document]) -> str | None:
        if self.regex is not None:
            match = compiled(self.regex).search(readable(answer))
            group = None if match is None else match[min(1, match.re.groups)]
            return None if group is None else bytes(group).decode("utf-8", "replace")
        if self.json is not None:
            return self._from_json(answer)
        if self.header is not None:
            values = answer.values(self.header.lower().encode("latin-1", "replace"))
            return values[0].decode("utf-8", "replace") if values else None
        kind = xml.read_html if self.css is not None else xml.read
        document = read.get(kind.__name__)
        if document is None:
            document = read[kind.__name__] = kind(bytes(answer.body), answer.values(b"content-type"))
        if self.css is not None:
            return css.selector(self.css).first(document)
        assert self.xpath is not None
        if "Fault" not in self.xpath and (fault := xml.fault(document)) is not None:
            raise ProbeError(Reason.SOAP_FAULT, f"status {answer.status} with a SOAP Fault: {fault}")
        value = xpathrule.expression(self.xpath, self.namespaces).first(document)
        return value if value is None or isinstance(value, str) else xml.value_of(value)

    def _from_json(self, answer: Response) -> str | None:
        try:
            value = jsonrule.walk(jsonrule.document(answer.body), self._path)
        except (ValueError, RecursionError):
            raise ProbeError(Reason.JSON, "the body is not JSON") from None
        except jsonrule.Invalid as error:
            raise ProbeError(Reason.STEP, f"{self.json}: {error}") from None
        if value is None or isinstance(value, dict | list):
            raise ProbeError(Reason.STEP, f"{self.json} is no single value")
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """Ask again every so often, for so long at most, until the step's `expect` holds. An error of the way is not waited out."""

    __pydantic_config__ = CONFIG

    every: Annotated[Seconds, Field(ge=0.05, le=3600)]
    length: Annotated[Seconds, Field(alias="for", gt=0, le=3600)]

    def __post_init__(self) -> None:
        if self.length < self.every:
            raise ValueError("for: it is shorter than every, so that nothing would be asked again")


Texts = Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a journey, exactly one of `get`, `post`, `put` and `delete`, with what must come of it and what is taken out of it.

    `always`: taken also when a step before it failed (to log out, to take a test document back); what comes of it then changes nothing.
    """

    __pydantic_config__ = CONFIG

    name: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)]
    get: str | Secret | None = None
    post: str | Secret | None = None
    put: str | Secret | None = None
    delete: str | Secret | None = None
    headers: Texts = field(default_factory=lambda: NOTHING)
    form: Texts | None = None
    json: Any = None
    body: str | Secret | None = None
    auth: Auth | None = None
    extract: Annotated[Mapping[str, Extract], Field(max_length=EXTRACT_LIMIT)] = field(default_factory=lambda: NOTHING)
    expect: Expect | None = None
    poll: Poll | None = None
    always: bool = False

    def __post_init__(self) -> None:
        if one_line(self.name) != self.name or self.name == "token":
            raise ValueError("name: it is one line of printable letters, and not token, which is a phase of its own")
        verbs = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(verbs) != 1:
            what = "none is there" if not verbs else f"here are {' and '.join(verbs)}"
            raise ValueError(f"a step takes exactly one of get, post, put and delete with its address; {what}")
        sent = [key for key in ("form", "json", "body") if getattr(self, key) is not None]
        if len(sent) > 1:
            raise ValueError(f"{' and '.join(sent)}: give one of them")
        if sent and self.get is not None:
            raise ValueError(f"{sent[0]}: a get sends nothing; write post or put, or put it into the address")
        if self.poll is not None and self.expect is None:
            raise ValueError("poll: without expect nobody knows what it waits for")
        if any(name.lower() == "cookie" for name in self.headers):
            raise ValueError("headers: Cookie is the jar's own business; leave it out")
        for name in self.extract:
            if NAME.fullmatch(name) is None or name in OWN:
                raise ValueError(
                    f"extract: {name!r} is not a name for a variable (letters, digits, _; not {' or '.join(OWN)})"
                )

    @property
    def method(self) -> str:
        """As HTTP writes it."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None).upper()

    @property
    def address(self) -> str | Secret:
        """As it is written."""
        found = next(value for verb in VERBS if (value := getattr(self, verb)) is not None)
        assert isinstance(found, str | Secret)
        return found

    @property
    def expected(self) -> Expect:
        """What must hold of the answer: any 2xx unless something is said."""
        return self.expect or ANY_2XX

    @property
    def asked_for(self) -> frozenset[str]:
        """The variables that it needs."""
        return frozenset(
            name for value in (self.address, self.headers, self.form, self.json, self.body) for name in names(value)
        )
