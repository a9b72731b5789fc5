"""A real browser: can a clerk log in and see her work?

A portal whose page answers 200 may still show an empty frame to everybody, because a script, a font server or the single sign-on behind it
is gone. Only a browser sees that; so one goes through the steps that a person goes through, and keeps a picture of where it failed.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from probes.browser_errors import WAY, name_of, reason_of
from probes.browser_gate import Gate
from probes.browser_house import Engine, House
from probes.browser_steps import CONFIG, Act, Fill, Go, Step, made_ready, text_of
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.errors import ERRNO
from probes.secret import Secret
from probes.tools import Tools
from probes.units import Bytes
from probes.wire.url import ascii_host, parse

__all__ = ["KIND", "BrowserSpec", "probe"]

MEMORY: Final = 1024 * 1024 * 1024

SPARE: Final = 0.25
"""Share of the time that is kept back for a picture and for the way home; at least LEAST, at most MOST seconds."""
LEAST: Final = 0.6
MOST: Final = 4.0

Host = Annotated[str, AfterValidator(ascii_host)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSpec:
    """Steps in a context of their own: no cookie, no storage of any other run. `memory` is what the whole browser may hold meanwhile."""

    __pydantic_config__ = CONFIG

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=64)]
    family: Family = Family.ANY
    verify: bool = True
    allow: Annotated[tuple[Host, ...], Field(max_length=32)] = ()
    memory: Annotated[Bytes, Field(ge=256 * 1024 * 1024, le=64 * 1024**3)] = MEMORY
    executable: Annotated[str, Field(min_length=1)] | None = None
    _plan: "Plan" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", Plan.build(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a spec means for every run. `named` are its own hosts, `trusted` the origins that a secret may be given to."""

    acts: tuple[Act, ...]
    first: str
    named: frozenset[str]
    trusted: tuple[str, ...]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<plan of {len(self.acts)} steps>"

    @classmethod
    def build(cls, spec: BrowserSpec) -> "Plan":
        """ValueError says which step is wrong."""
        if not any(isinstance(step, Go) for step in spec.steps[:1]):
            raise ValueError("steps: the first step is go: the page to open")
        acts = tuple(made_ready(number, step) for number, step in enumerate(spec.steps, 1))
        labels = [act.label for act in acts]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"steps: two are named {twice!r}")
        urls = [parse(text_of(step.go)) for step in spec.steps if isinstance(step, Go)]
        trusted = {f"{url.scheme}://{_bare(url.host)}" for url in urls}
        schemes = {"https", *(url.scheme for url in urls)}
        trusted |= {f"{scheme}://{host}" for scheme in schemes for host in spec.allow}
        trusted |= {f"https://{_bare(url.host)}" for url in urls}
        secrets = [
            value.reveal()
            for step in spec.steps
            if isinstance(step, Fill)
            for value in step.fill.values()
            if isinstance(value, Secret)
        ]
        secrets += [step.go.reveal() for step in spec.steps if isinstance(step, Go) and isinstance(step.go, Secret)]
        return cls(
            acts=acts,
            first=urls[0].host,
            named=frozenset((*spec.allow, *(url.host for url in urls))),
            trusted=tuple(sorted(trusted)),
            secrets=tuple(secret for secret in secrets if secret),
        )


def _bare(host: str) -> str:
    """As `urlsplit` says it back."""
    return urlsplit(f"//[{host}]" if ":" in host else f"//{host}").hostname or host


async def probe(spec: BrowserSpec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: `step` (a step could not be done, its number and name in the detail), `status`, `timeout`,
    `redirect_blocked`, those of the way (refused, reset, dns…, tls_…); ours: own_config, own_memory, own_overload, own_stall, own_bug.
    """
    plan = spec._plan
    tools.conceal(plan.secrets)
    houses = tools.workbench.browsers
    house = houses.get(spec.executable)
    if house is None:
        house = houses[spec.executable] = House(spec.executable)
    spare = min(MOST, max(LEAST, SPARE * tools.remaining()))
    engine = await _seat(house, tools, spare)
    visit = Visit(spec, tools, engine)
    answered = False
    try:
        number = engine.begin(visit.hear, visit.lost, visit.job(spare))
        visit.number = number
        try:
            async with asyncio.timeout(max(0.01, tools.remaining() - 0.05)):
                done, picture = await visit.answer
        except TimeoutError:
            engine.worn = True
            raise ProbeError(Reason.OWN_STALL, f"the browser did not answer in {tools.where or 'time'}") from None
        answered = True
    finally:
        visit.end()
        house.leave(engine, visit.number, answered=answered)
    return visit.finding(done, picture)


async def _seat(house: House, tools: Tools, spare: float) -> Engine:
    """A place and a browser; whoever gets none in time has not looked at all."""
    try:
        async with asyncio.timeout(max(0.01, tools.remaining() - spare)):
            with tools.phase("queue"):
                await house.place()
            try:
                with tools.phase("browser"):
                    return await house.engine()
            except BaseException:
                house.release()
                raise
    except TimeoutError:
        what = "a place in the browser was not free" if tools.where == "queue" else "the browser was not up"
        raise ProbeError(Reason.OWN_OVERLOAD, f"{what} in time") from None


class Visit:
    """One run as the daemon follows it: the gate's answers, the step at hand, and the last word."""

    def __init__(self, spec: BrowserSpec, tools: Tools, engine: Engine) -> None:
        self._spec, self._tools, self._engine = spec, tools, engine
        self._plan = spec._plan
        self._gate = Gate(tools, self._plan.first, self._plan.named, spec.family)
        self._tasks: set[asyncio.Task[None]] = set()
        self.number = 0
        self.answer: asyncio.Future[tuple[Mapping[str, Any], bytes]] = asyncio.get_running_loop().create_future()

    def job(self, spare: float) -> Mapping[str, Any]:
        """What the browser is told."""
        return {
            "seconds": max(0.1, self._tools.remaining() - spare),
            "spare": spare * 0.45,
            "alive": spare * 0.25,
            "steps": [act.job for act in self._plan.acts],
            "verify": self._spec.verify,
            "memory": self._spec.memory,
            "trusted": self._plan.trusted,
            "secrets": [secret for secret in self._plan.secrets if len(secret) > 2],
        }

    def lost(self, error: ProbeError) -> None:
        """The browser is gone."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def hear(self, head: Mapping[str, Any], blob: bytes) -> None:
        """One frame about this run."""
        match head["say"]:
            case "step":
                self._tools.where = self._plan.acts[head["step"]].label
            case "gate":
                task = asyncio.ensure_future(self._open(head["question"], head["host"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case "done" if not self.answer.done():
                self.answer.set_result((head, blob))

    def end(self) -> None:
        """Nobody asks any more."""
        self.answer.cancel()
        for task in self._tasks:
            task.cancel()

    async def _open(self, question: int, host: str) -> None:
        addresses: tuple[str, ...] = ()
        try:
            addresses = await self._gate.addresses(host)
        finally:
            self._engine.tell(self.number, "gate", question=question, addresses=addresses)

    def finding(self, done: Mapping[str, Any], picture: bytes) -> Finding:
        """What the last word means."""
        tools, acts = self._tools, self._plan.acts
        for act, seconds in zip(acts, done["timings"], strict=False):
            tools.phases[act.label] = tools.phases.get(act.label, 0.0) + seconds
        tools.notes(done["facts"])
        if not done["how"]:
            return ok(f"{len(acts)} steps")
        if picture:
            tools.keep("page", "image/jpeg", picture)
        act = acts[min(done["step"], len(acts) - 1)]
        return self._because(done, act)

    def _because(self, done: Mapping[str, Any], act: Act) -> Finding:
        status = int(done["facts"].get("status", 0))
        match done["how"]:
            case "net":
                return self._net(done, act)
            case "status":
                return failed(Reason.STATUS, f"{act.shown}: status {done['text']}")
            case "late" if self._gate.asking:
                host = min(self._gate.asking)
                raise ProbeError(Reason.OWN_DNS, f"{act.shown}: no answer from the resolver about {host}")
            case "late":
                return failed(Reason.TIMEOUT, f"{act.shown}: the page did not come in time")
            case "frozen":
                return failed(Reason.TIMEOUT, f"{act.shown}: the page does not respond")
            case "missing" if status >= 400:
                return failed(Reason.STATUS, f"{act.shown}: the page before it has status {status}")
            case "missing":
                return failed(Reason.STEP, f"{act.shown}: not there in time")
            case "there":
                return failed(Reason.STEP, f"{act.shown}: it is there")
            case "secret":
                return failed(
                    Reason.REDIRECT_BLOCKED, f"{act.shown}: would give a secret to {done['text']}; name it under allow"
                )
            case "selector":
                raise ProbeError(Reason.OWN_CONFIG, f"{act.shown}: {done['text']}")
            case "crashed":
                full = done["facts"].get("memory_bytes", 0.0) > 0.5 * self._spec.memory
                reason = Reason.OWN_MEMORY if full else Reason.OWN_BUG
                raise ProbeError(reason, f"{act.shown}: the page's process ended in the browser")
            case "unopened":
                raise ProbeError(Reason.OWN_OVERLOAD, f"the browser did not make room in time: {done['text']}")
            case "stuck":
                self._engine.worn = True
                raise ProbeError(Reason.OWN_STALL, f"{act.shown}: the browser itself does not answer")
        raise ProbeError(Reason.OWN_BUG, f"{act.shown}: {done['text']}")

    def _net(self, done: Mapping[str, Any], act: Act) -> Finding:
        """The network's own word, from where it was heard first."""
        name, host = name_of(done["text"]), done["host"]
        shut = self._gate.closed.get(host)
        if shut is not None:
            raise ProbeError(shut.reason, f"{act.shown}: {shut.detail}")
        number = done["lost"].get(host)
        if name in WAY and number is not None:
            reason = ERRNO.get(number, Reason.UNREACHABLE)
        elif name in WAY:
            raise ProbeError(Reason.OWN_BUG, f"{act.shown}: {name} without a cause")
        else:
            reason = reason_of(name)
        raise ProbeError(
            reason, f"{act.shown}: {name}" if name not in WAY else f"{act.shown}: cannot connect to {host}"
        )


FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "seconds": Fact(unit="seconds", meaning="all steps, from an empty context to the last one"),
        "steps": Fact(unit="number", meaning="steps that were done"),
        "status": Fact(unit="number", meaning="status of the last page"),
        "requests": Fact(unit="number", meaning="requests the pages made"),
        "failed_requests": Fact(unit="number", meaning="of them those that got no answer"),
        "bytes": Fact(unit="bytes", meaning="what came over the network, TLS included"),
        "console_errors": Fact(
            unit="number",
            meaning="errors among the first 1000 lines of the pages' console, and exceptions nobody caught",
        ),
        "popups": Fact(unit="number", meaning="windows that pages opened; each was closed at once"),
        "dom_seconds": Fact(unit="seconds", meaning="from the last go until its page could be used"),
        "load_seconds": Fact(
            unit="seconds", meaning="the same until everything on it was loaded; absent when that took too long"
        ),
        "memory_bytes": Fact(unit="bytes", meaning="the most that the whole browser held during the run"),
    }
)

KIND: Final = Kind(
    name="browser",
    spec=BrowserSpec,
    probe=probe,
    facts=FACTS,
    addresses=(),
    summary="a real browser goes through steps as a person does: pages, logins, a picture where it failed",
    typed=lambda text: {"steps": [{"go": text}]},
)
