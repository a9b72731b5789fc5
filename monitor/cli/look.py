"""`probe`, `status`, `incidents`: what is to be seen now."""

import asyncio
import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import common
from monitor.cli.common import DEFAULT, Config, Json, Language_

if TYPE_CHECKING:
    from monitor.model import Language
    from probes import Outcome

incidents_app = typer.Typer(help="Incidents: list them, show one.", no_args_is_help=False, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(_with_kinds(probe))
    app.command()(status)
    app.add_typer(incidents_app, name="incidents")


def probe(
    check: Annotated[str | None, typer.Argument(help="A configured check, such as motcua/home.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Another key of the probe: KEY=VALUE, VALUE as JSON, a text, env:NAME or file:PATH."
        ),
    ] = None,
    server: Annotated[str, typer.Option(help="With --dns: the name server to ask, HOST[:PORT].")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds.", min=0.05, max=300)] = 10.0,
    config: Config = DEFAULT,
    as_json: Json = False,
    lang: Language_ = None,
    **typed: str | None,
) -> None:
    """Probe once and show everything that was seen: a configured CHECK, or one given on the spot."""
    try:
        if check is not None:
            known = common.load(config).catalogue.checks.get(check)
            if known is None:
                common.leave(common.WRONG, f"{check}: no such check in {config}")
            name, kind, spec, timeout = check, known.kind, known.spec, known.timeout.total_seconds()
        else:
            name, kind, spec = _on_the_spot(
                {kind: word for kind, word in typed.items() if word is not None}, server, set_
            )
    except ValueError as problem:
        common.leave(common.WRONG, str(problem))
    outcome = asyncio.run(_once(kind, spec, timeout))
    _show(name, outcome, common.language(lang), as_json=as_json)
    raise typer.Exit({"ok": common.GOOD, "failed": common.BAD, "blind": common.BLIND}[outcome.seen.value])


def _with_kinds(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for every kind that a person can name a target of in one word."""
    from probes import KINDS

    signature = inspect.signature(command)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            kind.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option("--url" if kind.name == "http" else f"--{kind.name}", metavar="TARGET", help=kind.summary),
            ],
        )
        for kind in KINDS.values()
        if kind.typed is not None
    ]

    @functools.wraps(command)
    def whole(*given: Any, **named: Any) -> None:
        command(*given, **named)

    whole.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    whole.__annotations__ = {each.name: each.annotation for each in (*own, *options)}
    return whole


def _on_the_spot(typed: Mapping[str, str], server: str, more: Sequence[str] | None) -> tuple[str, str, Any]:
    """Target, kind and spec of what was typed; ValueError says what is wrong with it."""
    from pydantic import TypeAdapter, ValidationError

    from probes import KINDS

    if len(typed) != 1:
        raise ValueError("name one check, or give one target: --url, --icmp, --tcp, … (see --help)")
    ((kind, word),) = typed.items()
    keys = dict(KINDS[kind].typed(word))  # type: ignore[misc]  # Only kinds that have it became options.
    if server:
        keys["server"] = server
    for each in more or ():
        key, equals, value = each.partition("=")
        if not equals:
            raise ValueError(f"--set {each}: write KEY=VALUE")
        keys[key] = _value(value)
    try:
        return word, kind, TypeAdapter(KINDS[kind].spec).validate_python(keys)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}" if where else first["msg"]) from None


def _value(text: str) -> Any:
    """A value as it is typed: a reference to a secret, JSON, or else the text."""
    from probes import Secret

    origin, colon, name = text.partition(":")
    if colon and origin == "env":
        if name not in os.environ:
            raise ValueError(f"{text}: this variable is not set")
        return Secret(os.environ[name])
    if colon and origin == "file":
        try:
            return Secret(Path(name).read_text("utf-8").rstrip("\n"))
        except OSError as error:
            raise ValueError(f"{text}: {error.strerror}") from None
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _once(kind: str, spec: Any, timeout: float) -> "Outcome":
    from datetime import UTC, datetime

    from probes import Workbench, run

    async with Workbench(lambda: datetime.now(UTC), allowed_hosts=lambda _: True) as workbench:
        return await run(kind, spec, workbench, timeout=timeout)


def _show(name: str, outcome: "Outcome", lang: "Language", *, as_json: bool) -> None:
    from monitor import words
    from monitor.web.objects import outcome_json

    if as_json:
        common.say_json(outcome_json(name, outcome))
        return
    common.say(f"{name}: {words.seen(outcome.seen.value, lang)}, {words.reason(outcome.reason.value, lang)}")
    if outcome.detail:
        common.say(f"  {outcome.detail}")
    common.say(f"  {outcome.seconds * 1000:.1f} ms")
    for phase, seconds in outcome.phases.items():
        common.say(f"  {phase:>12}  {seconds * 1000:9.2f} ms")
    for fact, value in outcome.facts.items():
        common.say(f"  {fact:>24} = {value:g}")


def status(config: Config = DEFAULT, as_json: Json = False, lang: Language_ = None) -> None:
    """What is wrong now, by the running daemon. Exit code 1 when there is an open incident."""
    answer = common.ask(config, "/api/v1/status")
    if as_json:
        common.say_json(answer)
    else:
        _print_status(answer, common.language(lang))
    if not answer["connected"]:
        raise typer.Exit(common.BLIND)
    raise typer.Exit(common.BAD if answer["incidents"] else common.GOOD)


def _print_status(answer: dict[str, Any], lang: "Language") -> None:
    from monitor import words

    states = ", ".join(f"{count} {words.state(state, lang)}" for state, count in answer["nodes"].items() if count)
    common.say(f"{answer['province']}: {states}")
    if not answer["connected"]:
        common.say(words.say("page.blind", lang))
    if not answer["incidents"]:
        common.say(words.say("page.incidents.none", lang))
    _print_incidents(answer["incidents"], lang)


def _print_incidents(incidents: list[dict[str, Any]], lang: "Language") -> None:
    from monitor import words

    for incident in incidents:
        recovery = incident["recovery"]
        left = recovery["remaining_seconds"]
        key, word = ("page.overdue", "over") if left < 0 else ("page.remaining", "left")
        said = (
            words.say(key, lang, **{word: words.duration(abs(left), lang)}) if incident["resolved_at"] is None else ""
        )
        parts = [
            incident["id"],
            words.severity(incident["severity"], lang),
            words.incident_state(incident["state"], lang),
            incident["node"]["name"],
            words.reason(incident["reason"], lang),
            f"+{incident['affected_total']}" if incident["affected_total"] else "",
            said,
        ]
        common.say("  " + " · ".join(part for part in parts if part))


@incidents_app.callback(invoke_without_command=True)
def incidents(context: typer.Context, config: Config = DEFAULT) -> None:
    """Incidents, newest first; `list` when nothing else is asked."""
    if context.invoked_subcommand is None:
        list_(config=config)


@incidents_app.command(name="list")
def list_(
    config: Config = DEFAULT,
    state: Annotated[str | None, typer.Option(help="open, acknowledged, resolved, merged or withdrawn.")] = None,
    node: Annotated[str | None, typer.Option(help="Only this node's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
    lang: Language_ = None,
) -> None:
    """Incidents, newest first."""
    params = {"limit": limit} | ({"state": state} if state else {}) | ({"node": node} if node else {})
    answer = common.ask(config, "/api/v1/incidents", params)
    if as_json:
        common.say_json(answer)
    else:
        _print_incidents(answer["items"], common.language(lang))


@incidents_app.command()
def show(
    incident: Annotated[str, typer.Argument(help="Its id.")],
    config: Config = DEFAULT,
    as_json: Json = False,
    lang: Language_ = None,
) -> None:
    """One incident with its history."""
    answer = common.ask(config, f"/api/v1/incidents/{incident}")
    if as_json:
        common.say_json(answer)
        return
    from monitor import words

    chosen = common.language(lang)
    _print_incidents([answer], chosen)
    for event in answer["events"]:
        common.say(f"    {event['at']}  {words.event(event['type'], chosen)}  {event['text']}")
