"""The language of the configuration: every section and key, with its meaning, its unit and its default.

Owns: the pydantic models that the file is read into and that its JSON schema is made from (the kinds of probes and of receivers join them
at run time, see `schema.py`).
Never: looks at another key's section: references between sections are `build`'s business.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from monitor.model import Language
from monitor.settings import times
from monitor.settings.blocks import (
    AnchorBlock,
    Block,
    ConfirmBlock,
    GroupBlock,
    Length,
    NodeBlock,
    OneKind,
    Pace,
    Patience,
    RouteMatchBlock,
    Selectors,
    Shares,
    WebAddress,
    Words,
    one_or_many,
)
from probes.secret import Secret
from probes.units import Duration, Ratio

Keep = Annotated[
    timedelta,
    BeforeValidator(times.long_duration),
    Field(ge=timedelta(days=1)),
    WithJsonSchema({"type": "string", "examples": ["60d", "2y"]}),
]
Moment = Annotated[
    datetime, BeforeValidator(times.moment), WithJsonSchema({"type": "string", "examples": ["2026-12-05 22:00"]})
]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: write one such as Asia/Ho_Chi_Minh") from None
    return name


def _listen(text: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{text!r} is not an address and port: write 127.0.0.1:9464 or [::1]:9464")
    return text


class ProvinceBlock(Block):
    """Whose systems these are, and how they write the time."""

    id: str = ""
    """The province's code, in quotes: "37"."""
    name: str = ""
    """Its name, as reports print it."""
    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Ho_Chi_Minh"
    """The zone of every local time in this file and of every report."""
    language: Language = "vi"
    """The language of pages, messages and reports."""
    issuer: str = ""
    """Who issues the reports."""


class DaemonBlock(Block):
    """Where the daemon lives."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9464"
    """Address and port of the page, the API and the metrics."""
    public_url: WebAddress = ""
    """How people reach the page: links in messages begin with it."""
    state_dir: Annotated[str, Field(min_length=1)] = "var"
    """Folder of the database, the lock and the reports; relative to where the daemon is started."""
    database: str | Secret = "sqlite"
    """`sqlite`, or env:NAME with postgresql+asyncpg://…"""


class DefaultsBlock(Block):
    """What every check and node inherits, and may override."""

    every: Pace = timedelta(seconds=60)
    """How often a check runs."""
    timeout: Patience = timedelta(seconds=10)
    """The total time of one run; shorter than `every`."""
    confirm: ConfirmBlock = ConfirmBlock()
    """How outcomes are confirmed."""
    settle: Annotated[Duration, Field(le=timedelta(minutes=10))] = timedelta(seconds=30)
    """How long an incident waits at most for the answers of parents and siblings."""
    recovery_target: Length = timedelta(hours=24)
    """How soon a fault has to be put right."""
    warn_at: Shares = (0.5, 0.75, 0.9)
    """Shares of the recovery target at which a warning goes out."""


class PartyBlock(Block):
    """An owner, operator or carrier."""

    name: Annotated[str, Field(min_length=1)]
    """As pages and reports print it."""
    role: str = ""
    """A free word: owner, operator, carrier, …"""
    phone: str = ""
    """For the person on call."""
    email: str = ""
    """For the person on call."""
    note: str = ""
    """Anything else they need to know."""


class InventoryBlock(Block):
    """A table in a CSV file, one row for each thing of a kind."""

    file: Annotated[str, Field(min_length=1)]
    """Relative to this file."""
    key: Annotated[str, Field(min_length=1)]
    """The column that names a row: filled and different in each."""
    expect_rows: Annotated[int, Field(ge=0)] | None = None
    """How many rows there must be."""


class ForEachBlock(Block):
    """Nodes made from each row of an inventory; {column} stands for the row's cell."""

    inventory: str
    """Which inventory."""
    nodes: Mapping[str, NodeBlock]
    """The nodes, as under `nodes`."""


class HeartbeatBlock(Block):
    """Whom we tell that we are alive."""

    url: str | Secret
    """A dead man's switch elsewhere, called on time as long as all is well here."""
    every: Pace = timedelta(seconds=60)
    """How often."""


class SelfBlock(Block):
    """How the monitor knows that it can see."""

    anchors: tuple[AnchorBlock, ...] = ()
    """Checks of things that are as good as always there."""
    quorum: Annotated[int, Field(ge=1)] = 1
    """Fewer answering: we are cut off, and blind."""
    heartbeat: HeartbeatBlock | None = None
    """Whom we tell that we are alive."""


def _one_sentence(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValueError:
        raise ValueError("write a length of time from 5s to 1h, such as 15m, or false") from None


Gather = Annotated[
    Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(hours=1))] | Literal[False],
    WrapValidator(_one_sentence),
]


class ReceiverBlock(OneKind):
    """Somebody to tell: exactly one kind of receiver."""

    gather: Gather = timedelta(minutes=15)
    """In a storm, messages are told together in at most three requests in so long a time; `false` for a machine that groups by itself."""


class EscalationBlock(Block):
    """Who is told next."""

    after: Length | None = None
    """So long after opening."""
    at: Ratio | None = None
    """Or at this share of the recovery target."""
    unless: Literal["acknowledged", "resolved"] = "resolved"
    """Not when this has been reached."""
    send: Words
    """Receivers."""

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        if (self.after is None) == (self.at is None):
            raise ValueError("an escalation has either after (15m) or at (75%)")
        return self


class RouteBlock(Block):
    """Who is told of what; the first that matches decides."""

    match: RouteMatchBlock
    """Which messages; {} is all."""
    send: Words
    """Receivers."""
    escalate: tuple[EscalationBlock, ...] = ()
    """Who is told next when nobody acts."""
    go_on: bool = False
    """Whether the routes below are asked too."""


class MaintenanceBlock(Block):
    """Announced work: `from` and `to`, or `cron` and `for`."""

    id: Annotated[str, Field(min_length=1)]
    """A name of its own."""
    nodes: Selectors
    """What is worked on."""
    start: Annotated[Moment | None, Field(alias="from")] = None
    """Local to the province, or RFC 3339."""
    end: Annotated[Moment | None, Field(alias="to")] = None
    """Its end."""
    cron: Annotated[str, AfterValidator(times.check_cron)] | None = None
    """minute hour day month weekday, local to the province."""
    length: Annotated[Length | None, Field(alias="for")] = None
    """How long each time."""
    announced_at: Moment | None = None
    """When it was made public: seven working days ahead, says Decree 224/2026 art. 13."""
    reason: str = ""
    """In words, for the page and the report."""
    force_majeure: bool = False
    """Whether it could not be announced in time."""

    @model_validator(mode="after")
    def _once_or_again(self) -> Self:
        once, again = (self.start is not None, self.end is not None), (self.cron is not None, self.length is not None)
        if (once, again) not in (((True, True), (False, False)), ((False, False), (True, True))):
            raise ValueError("a window has from and to, or cron and for")
        return self


class MeetingBlock(Block):
    """A video meeting: `from` and `to`, or `cron` and `for`."""

    id: Annotated[str, AfterValidator(times.check_word)]
    """A name of its own: letters, digits, dots, dashes."""
    name: Annotated[str, Field(min_length=1)]
    """As the page and the messages print it."""
    nodes: Selectors | None = None
    """Which points take part; every node of type video when it is not written."""
    start: Annotated[Moment | None, Field(alias="from")] = None
    """Local to the province, or RFC 3339."""
    end: Annotated[Moment | None, Field(alias="to")] = None
    """Its end."""
    cron: Annotated[str, AfterValidator(times.check_cron)] | None = None
    """minute hour day month weekday, local to the province."""
    length: Annotated[Length | None, Field(alias="for")] = None
    """How long each time."""
    ready_before: Annotated[Length, Field(le=timedelta(days=1))] = timedelta(minutes=60)
    """How long before the beginning every point is looked at, and told of."""
    every: Pace = timedelta(seconds=30)
    """How often the points and their links are probed from then to the end."""

    @model_validator(mode="after")
    def _once_or_again(self) -> Self:
        once, again = (self.start is not None, self.end is not None), (self.cron is not None, self.length is not None)
        if (once, again) not in (((True, True), (False, False)), ((False, False), (True, True))):
            raise ValueError("a meeting has from and to, or cron and for")
        return self


class ReportBlock(Block):
    """One report on schedule."""

    at: str
    """When it is due, in the province's zone."""
    formats: Annotated[
        tuple[Literal["json", "csv", "html", "xlsx", "pdf", "docx"], ...], BeforeValidator(one_or_many)
    ] = ("json", "csv", "html")
    """What is made of it."""
    send: Words = ()
    """Receivers that are told it is ready."""


class RetentionBlock(Block):
    """How long what is kept."""

    samples: Keep = timedelta(days=60)
    """Every single outcome."""
    hourly: Keep = timedelta(days=730)
    """Hourly figures."""
    ledger: Keep = timedelta(days=3650)
    """Transitions and incidents."""


class ReportsBlock(Block):
    """Which reports are made by themselves."""

    daily: ReportBlock | None = None
    """Of the day before; at: "07:00"."""
    weekly: ReportBlock | None = None
    """Of the week before; at: "mon 07:00"."""
    monthly: ReportBlock | None = None
    """at: "day 24 16:00"."""
    quarterly: ReportBlock | None = None
    """In the quarter's last month; at: "day 24 16:00"."""
    yearly: ReportBlock | None = None
    """at: "14/12 16:00" (day/month)."""
    retention: RetentionBlock = RetentionBlock()
    """How long what is kept."""


class FileBlock(Block):
    """A configuration of Thông Suốt."""

    version: Literal[1]
    """Of this language: 1."""
    province: ProvinceBlock = ProvinceBlock()
    """Whose systems these are."""
    daemon: DaemonBlock = DaemonBlock()
    """Where the daemon lives."""
    include: Words = ()
    """More files, by pattern, relative to this one."""
    defaults: DefaultsBlock = DefaultsBlock()
    """What every check and node inherits."""
    parties: Mapping[str, PartyBlock] = Field(default_factory=dict)
    """Owners, operators and carriers, by id."""
    nodes: Mapping[str, NodeBlock] = Field(default_factory=dict)
    """What is watched, by id."""
    inventories: Mapping[str, InventoryBlock] = Field(default_factory=dict)
    """Tables, by name."""
    for_each: tuple[ForEachBlock, ...] = ()
    """Nodes made from tables."""
    groups: Mapping[str, GroupBlock] = Field(default_factory=dict)
    """Nodes judged from their members, by id."""
    monitor: Annotated[SelfBlock, Field(alias="self")] = SelfBlock()
    """How the monitor knows that it can see."""
    receivers: Mapping[str, ReceiverBlock] = Field(default_factory=dict)
    """Whom we can tell, by name."""
    routes: tuple[RouteBlock, ...] = ()
    """Who is told of what."""
    maintenance: tuple[MaintenanceBlock, ...] = ()
    """Announced work."""
    meetings: tuple[MeetingBlock, ...] = ()
    """Video meetings, whose points are looked at beforehand."""
    reports: ReportsBlock = ReportsBlock()
    """Which reports are made by themselves."""
    holidays: str | None = None
    """A file of days off and swapped working days that the calendar does not know yet."""
