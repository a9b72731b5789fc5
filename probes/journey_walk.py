"""One run of a journey: step after step on one jar, the step at hand named in whatever goes wrong.

Owns: the run's cookies and variables, what may be sent where, waiting, and the seconds of each step.
Never: keeps anything between runs; sends what is secret to an address that an answer made up.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from probes.contract import Finding, ProbeError, Reason, failed, ok
from probes.expect import THREAD
from probes.http import HttpSpec
from probes.httpplan import REDIRECTS, Plan, ask_with_token, follow
from probes.journey_fill import filled, filled_address, forms, names, plain, secrets_in
from probes.journey_steps import Step
from probes.secret import Secret
from probes.tools import Tools
from probes.wire.client import Response, publicness
from probes.wire.cookies import Jar
from probes.wire.url import Url, join, parse
from probes.xml import Document

if TYPE_CHECKING:
    from probes.journey import JourneySpec

BODY_LIMIT: Final = 1024 * 1024
"""Bytes that one step sends."""

VALUES_LIMIT: Final = 256 * 1024
"""Characters of all variables of a run."""

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def written_origin(spec: "JourneySpec", step: Step) -> Url | None:
    """Where a step leads by what is written; None when an answer says so. ValueError when that is nowhere."""
    text = step.address.reveal() if isinstance(step.address, Secret) else step.address
    if not isinstance(step.address, Secret):
        if text.startswith("{") and any(True for _ in names(text)):
            return None
        authority = _AUTHORITY.match(text)
        if authority is not None and any(True for _ in names(authority[0])):
            raise ValueError("a variable stands for a whole address at its beginning, or for a part behind the host")
        text = filled_address(text, dict.fromkeys(names(text), "0"))
    if _ABSOLUTE.match(text):
        url = parse(text)
        if url.user is not None and not isinstance(step.address, Secret):
            raise ValueError("a password does not stand in the file; keep the whole address in env:NAME, or use auth")
        return url
    if spec.base_url is None:
        raise ValueError(f"{text!r} is no address: begin with https://, or say base_url")
    return join(base(spec), text.encode())


def base(spec: "JourneySpec") -> Url:
    """What relative addresses are relative to."""
    assert spec.base_url is not None
    url = parse(spec.base_url.reveal() if isinstance(spec.base_url, Secret) else spec.base_url)
    if url.user is not None:
        raise ValueError("a user in it would go nowhere; use auth in the steps")
    return url


def request(spec: "JourneySpec", step: Step, values: Mapping[str, str], url: Url | str | Secret) -> HttpSpec:
    """A step's request with every variable in its place; ValueError says what cannot be sent."""
    headers: dict[str, str | Secret] = {
        # What an answer gave us goes to no other host than what is secret does.
        name: Secret(filled(value, values)) if isinstance(value, str) and any(True for _ in names(value)) else value
        for name, value in step.headers.items()
    }
    body, kind = _body(step, values)
    if kind and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = kind
    return HttpSpec(
        url=str(url) if isinstance(url, Url) else url,
        method=step.method,
        headers=headers,
        body=body,
        auth=step.auth,
        redirects=spec.redirects,
        family=spec.family,
        proxy=spec.proxy,
        version=spec.version,
        compression=spec.compression,
        max_body=spec.max_body,
        tls=spec.tls,
    )


def _body(step: Step, values: Mapping[str, str]) -> tuple[str | Secret | None, str]:
    """What is sent, and as what."""
    kind, text = "", None
    if step.form is not None:
        pairs = plain(step.form, values)
        text, kind = urlencode(pairs), "application/x-www-form-urlencoded"
    elif step.json is not None:
        text, kind = json.dumps(plain(step.json, values), ensure_ascii=False), "application/json"
    elif step.body is not None:
        text = plain(step.body, values)
    if text is None:
        return None, ""
    if len(text) > BODY_LIMIT:
        raise ValueError(f"more than {BODY_LIMIT} bytes to send")
    sent = (step.form, step.json, step.body)
    private = any(True for _ in secrets_in(sent)) or any(True for _ in names(sent))
    return Secret(text) if private else text, kind


class Walk:
    """One run."""

    def __init__(self, spec: "JourneySpec", tools: Tools) -> None:
        self.spec, self.tools = spec, tools
        self.jar = Jar()
        self.values = {"run": tools.token(8).hex(), "now": tools.workbench.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.last: Response | None = None
        self.redirects = 0.0
        self.certificate: dict[str, float] = {}

    async def run(self) -> Finding:
        """Every step in its order; the first thing that goes wrong is the finding."""
        tools, steps = self.tools, self.spec.steps
        tools.note(steps=0.0, failed_step=0.0)
        began = perf_counter()
        try:
            for number, step in enumerate(steps, 1):
                tools.within = f"step {number} of {len(steps)} “{step.name}”"
                tools.facts["failed_step"] = float(number)
                finding = await self.step(number, step)
                if finding is not None:
                    await self.tidy(number)
                    return finding
                tools.facts["steps"] = float(number)
        except Exception:
            await self.tidy(number)
            raise
        finally:
            tools.facts["seconds"] = perf_counter() - began - tools.phases.get("token", 0.0)
        tools.facts["failed_step"] = 0.0
        tools.within = ""
        return ok(f"{len(steps)} step{'s' if len(steps) > 1 else ''}")

    async def tidy(self, number: int) -> None:
        """After a failure: the later steps that are always taken, as far as their variables are known. Nothing of them is told."""
        tools, facts, phases = self.tools, dict(self.tools.facts), dict(self.tools.phases)
        for later, step in enumerate(self.spec.steps[number:], number + 1):
            if step.always and step.asked_for <= self.values.keys():
                with suppress(Exception):  # It is not what broke.
                    await self.step(later, step)
        for table, before in ((tools.facts, facts), (tools.phases, phases)):
            table.clear()
            table.update(before)

    async def step(self, number: int, step: Step) -> Finding | None:
        """One step with its waiting; what its answer breaks, or None. Its seconds are a phase (its name) and a fact, without the token's."""
        tools = self.tools
        before, began = dict(tools.phases), perf_counter()
        try:
            answer, finding = await self._until_expected(step)
            if finding is None and step.extract:
                documents = any(way.reads_document for way in step.extract.values())
                if documents and len(answer.body) >= THREAD:
                    found = await asyncio.to_thread(_taken, step, answer)
                else:
                    found = _taken(step, answer)
                for name, value in found.items():
                    self.values[name] = value
                    if step.extract[name].secret:
                        tools.conceal(forms(value))
                if sum(map(len, self.values.values())) > VALUES_LIMIT:
                    raise ProbeError(Reason.STEP, f"more than {VALUES_LIMIT} characters in all variables")
        finally:
            token = tools.phases.get("token", 0.0)
            took = perf_counter() - began - (token - before.get("token", 0.0))
            # The wire's own phases are parts of this one.
            tools.phases.clear()
            tools.phases.update(
                {**before, **({"token": token} if token else {}), step.name: before.get(step.name, 0.0) + took}
            )
            tools.facts[f"step_{number}_seconds"] = took
            self._note()
        return finding

    async def _until_expected(self, step: Step) -> tuple[Response, Finding | None]:
        loop, tools, poll = asyncio.get_running_loop(), self.tools, step.poll
        began = loop.time()
        rounds = 0
        while True:
            answer = await self.ask(step)
            finding = await step.expected.judge(answer)
            if poll is None:
                return answer, finding
            waited = loop.time() - began
            tools.facts["poll_seconds"] = waited
            if finding is None:
                return answer, None
            rounds = max(rounds + 1, int(waited / poll.every) + 1)
            if rounds * poll.every > poll.length + 1e-6:
                return answer, failed(finding.reason, f"not within {poll.length:g} s: {finding.detail}")
            tools.where = "waiting"
            await asyncio.sleep(began + rounds * poll.every - loop.time())

    async def ask(self, step: Step) -> Response:
        """One request and its redirects, with the jar's cookies."""
        tools = self.tools
        plan = self._plan(step)
        cookie = self.jar.header(plan.route.url)
        extra = (f"Cookie: {cookie.decode('utf-8', 'surrogateescape')}",) if cookie else ()
        proof: tuple[str, ...] = ()
        if plan.oauth2 is not None:
            answer, proof, _ = await ask_with_token(plan, plan.oauth2, tools, extra)
        else:
            data = plan.bytes_for(plan.route.url, private=True, host=plan.host, extra=extra)
            answer = await plan.ask(plan.route, data, tools)
        answer.url = plan.route.url
        if plan.redirects and answer.status in REDIRECTS:
            tools.facts.pop("redirects", None)
            try:
                answer = await follow(plan, tools, answer, proof, self.jar)
            finally:
                self.redirects += tools.facts.get("redirects", 0.0)
        assert answer.url is not None
        for line in answer.values(b"set-cookie"):
            self.jar.take(answer.url, line)
        self.last = answer
        self._note()
        return answer

    def _plan(self, step: Step) -> Plan:
        """The request, ready to send. ProbeError when an answer's variable makes it impossible, or would lead what is secret astray."""
        kept = self.spec.ready(step)
        if kept is not None:
            return kept
        try:
            if written_origin(self.spec, step) is None:
                return self._astray(step)
            assert isinstance(step.address, str)
            text = filled_address(step.address, self.values)
            url = parse(text) if _ABSOLUTE.match(text) else join(base(self.spec), text.encode())
            return request(self.spec, step, self.values, url)._plan
        except ValueError as error:
            raise ProbeError(Reason.STEP, f"cannot be sent: {error}") from None

    def _astray(self, step: Step) -> Plan:
        """A step to an address that an answer gave, as a link is: relative to its page, and with nothing of ours to a host nobody named."""
        assert isinstance(step.address, str)
        text = filled_address(step.address, self.values)
        if self.last is not None and self.last.url is not None:
            url = join(self.last.url, text.encode())
        else:
            url = join(base(self.spec), text.encode()) if self.spec.base_url is not None else parse(text)
        if url.user is not None:
            raise ProbeError(Reason.BAD_REDIRECT, f"led to {url.shown} with a user in the address")
        made = request(self.spec, step, self.values, url)
        if url.origin in self.spec.origins:
            return made._plan
        if made._plan.secret_lines or made._plan.secret_body or made.auth is not None:
            raise ProbeError(Reason.REDIRECT_BLOCKED, f"led to {url.shown}, which no step names, with something secret")
        plan = replace(made, tls=replace(made.tls, server_name=None, cert=None, key=None))._plan
        allowed = self.tools.workbench.allowed_hosts(url.host)
        floor = None if allowed or self.last is None else publicness(self.last.address)
        return replace(plan, route=replace(plan.route, floor=floor))

    def _note(self) -> None:
        """What is known over all steps: redirects in all, and the certificate that ends first."""
        facts = self.tools.facts
        facts["redirects"] = self.redirects
        for name in ("certificate_days", "certificate_not_after"):
            if name in facts:
                facts[name] = self.certificate[name] = min(facts[name], self.certificate.get(name, facts[name]))


def _taken(step: Step, answer: Response) -> dict[str, str]:
    """The variables of a step's answer; ProbeError names the one that is not there."""
    found: dict[str, str] = {}
    documents: dict[str, Document] = {}
    for name, way in step.extract.items():
        try:
            found[name] = way.of(answer, documents)
        except ProbeError as error:
            raise ProbeError(error.reason, f"variable “{name}”: {error.detail}") from None
    return found


def known_secrets(steps: Iterable[Step], *more: str | Secret | None) -> tuple[str, ...]:
    """Every form of every secret that a journey is written with."""
    found: list[str] = []
    for step in steps:
        sent = (step.address, step.headers, step.form, step.json, step.body)
        texts = [*secrets_in(sent)]
        if step.auth is not None:
            auth = step.auth
            texts += secrets_in(
                [auth.bearer, auth.basic and auth.basic.password, auth.oauth2 and auth.oauth2.client_secret]
            )
            if auth.static is not None:
                texts.append(auth.static.partition(" ")[2])
        found += texts
    found += secrets_in(more)
    return tuple(dict.fromkeys(form for text in found for form in forms(text)))
