"""What a person does on a page, as it is written in a configuration: a small closed set of steps.

Owns: the steps' keys, what is refused where it is written, and the words in which a step is named and handed to the browser.
Never: drives anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from probes.secret import Secret
from probes.units import Seconds
from probes.wire.url import parse

CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

Selector = Annotated[str, Field(min_length=1, max_length=500)]
"""As Playwright reads it: CSS (`#user`), `text=Đăng nhập`, `role=button[name="Đăng nhập"]`, `button:has-text("Gửi")`, `xpath=//a`."""

Name = Annotated[str, Field(pattern=r"^\w[\w .-]{0,39}$")]
Value = Annotated[str, Field(max_length=4096)] | Secret
Fields = Annotated[Mapping[Selector, Value], Field(min_length=1, max_length=16)]
Within = Annotated[Seconds, Field(gt=0, le=300)]


def _address(value: str | Secret) -> str | Secret:
    text = value.reveal() if isinstance(value, Secret) else value
    parse(text)
    if urlsplit(text).username is not None:
        raise ValueError("a user in an address: fill the form, or use the http kind")
    return value


Address = Annotated[str | Secret, AfterValidator(_address)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What every step may say: what a person calls it, and how long it may take."""

    __pydantic_config__ = CONFIG

    name: Name | None = None
    within: Within | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Go(Named):
    """Open an address and wait until the page can be used; a status of 400 or more fails."""

    go: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Named):
    """Write into fields: selector and value."""

    fill: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Named):
    """Choose in drop-down lists: selector and the option's value or its text."""

    select: Annotated[Mapping[Selector, Annotated[str, Field(max_length=500)]], Field(min_length=1, max_length=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Click(Named):
    """Click what the selector names, once it can be clicked."""

    click: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Named):
    """Press a key (`Enter`, `Tab`, `Control+A`): where the cursor is, or in a field: selector and key."""

    press: (
        Annotated[str, Field(min_length=1, max_length=60)]
        | Annotated[
            Mapping[Selector, Annotated[str, Field(min_length=1, max_length=60)]], Field(min_length=1, max_length=1)
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What is looked for: all that is given, together."""

    __pydantic_config__ = CONFIG

    text: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    selector: Selector | None = None
    url: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    def __post_init__(self) -> None:
        if self.text is self.selector is self.url is None:
            raise ValueError("give text, selector or url (a part of the page's address)")


Seen = Annotated[str, Field(min_length=1, max_length=500)] | What


@dataclass(frozen=True, slots=True, kw_only=True)
class See(Named):
    """Wait until this text (or `{selector, text, url}`) can be seen."""

    see: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSee(Named):
    """This must not be there now. Put a `see` before it that waits for the page."""

    not_see: Seen


ACTIONS: Final = ("go", "fill", "select", "click", "press", "see", "not_see")


def _tag(step: Any) -> str:
    """Which step this is, by its first known key."""
    keys = step if isinstance(step, Mapping) else getattr(step, "__slots__", ())
    return next((key for key in ACTIONS if key in keys), "go")


Step = Annotated[
    Annotated[Go, Tag("go")]
    | Annotated[Fill, Tag("fill")]
    | Annotated[Select, Tag("select")]
    | Annotated[Click, Tag("click")]
    | Annotated[Press, Tag("press")]
    | Annotated[See, Tag("see")]
    | Annotated[NotSee, Tag("not_see")],
    Discriminator(_tag),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A step made ready: `label` is its phase, `shown` names it to a person, `job` is what the browser is told."""

    label: str
    shown: str
    job: Mapping[str, Any]


def text_of(value: str | Secret) -> str:
    """What is really sent."""
    return value.reveal() if isinstance(value, Secret) else value


def made_ready(number: int, step: Any) -> Act:
    """The step at this place, counted from 1."""
    action = _tag(step)
    value = getattr(step, action)
    job: dict[str, Any] = {"do": action, "within": step.within, "fields": []}
    shown = "…"
    match step:
        case Go():
            job["url"] = text_of(value)
            shown = "<secret>" if isinstance(value, Secret) else parse(value).shown
        case Fill() | Select():
            job["fields"] = [(key, text_of(each), isinstance(each, Secret)) for key, each in value.items()]
            shown = ", ".join(value)
        case Click():
            job["selector"] = shown = value
        case Press():
            job["key"] = value if isinstance(value, str) else ""
            job["fields"] = [] if isinstance(value, str) else [(key, each, False) for key, each in value.items()]
            shown = value if isinstance(value, str) else next(iter(value))
        case _:
            what = What(text=value) if isinstance(value, str) else value
            job |= {"text": what.text or "", "selector": what.selector or "", "url": what.url or ""}
            shown = ", ".join(part for part in (what.selector, what.text, what.url) if part)
    label = step.name or f"{number}_{action}"
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return Act(label=label, shown=f"step {number} ({step.name or f'{action} {shown}'})", job=job)
