"""`meetings`: the next video meetings, and looking at their points now. The running daemon answers."""

from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from monitor.cli import common
from monitor.cli.common import DEFAULT, Config, Json, Language_

if TYPE_CHECKING:
    from datetime import tzinfo

    from monitor.model import Language

PATIENCE: Final = 600.0
"""Seconds for which a look at every point is waited for: two rounds of the slowest probe."""

meetings_app = typer.Typer(
    help="Video meetings: list them, look at their points.", no_args_is_help=False, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(meetings_app, name="meetings")


@meetings_app.callback(invoke_without_command=True)
def meetings(context: typer.Context, config: Config = DEFAULT) -> None:
    """Video meetings that are not over; `list` when nothing else is asked."""
    if context.invoked_subcommand is None:
        list_(config=config)


@meetings_app.command(name="list")
def list_(config: Config = DEFAULT, as_json: Json = False, lang: Language_ = None) -> None:
    """Meetings that are not over, with what is known of their points."""
    answer = common.ask(config, "/api/v1/meetings")
    if as_json:
        common.say_json(answer)
        return
    from monitor import words

    chosen, zone = common.language(lang), common.load(config).catalogue.province.zone
    if not answer["items"]:
        common.say(words.say("page.meetings.none", chosen))
    for meeting in answer["items"]:
        _print(meeting, chosen, zone)


@meetings_app.command()
def check(
    meeting: Annotated[str, typer.Argument(help="Its id in the configuration, or the id of one occurrence.")],
    config: Config = DEFAULT,
    as_json: Json = False,
    lang: Language_ = None,
) -> None:
    """Run all checks of a meeting's points now, and say who is ready; nobody else is told.

    Exit code 0 when all are, 1 when some are not, 3 when we cannot see.
    """
    route = f"/api/v1/meetings/{quote(meeting, safe='')}/check"
    answer = common.ask(config, route, method="POST", patience=PATIENCE)
    if as_json:
        common.say_json(answer)
    else:
        _print(answer, common.language(lang), common.load(config).catalogue.province.zone)
    if not answer["connected"] or _blind(answer):
        raise typer.Exit(common.BLIND)
    raise typer.Exit(common.BAD if answer["not_ready"] else common.GOOD)


def _blind(meeting: dict[str, Any]) -> bool:
    """Whether nothing was found but what we could not see."""
    lacks = {point["lack"] for point in meeting["not_ready"] or ()}
    return lacks == {"unknown"} or meeting["not_ready"] is None


def _print(meeting: dict[str, Any], lang: "Language", zone: "tzinfo") -> None:
    from datetime import datetime

    from monitor import words

    starts = words.moment(datetime.fromisoformat(meeting["start"]), zone, lang)
    said = [meeting["id"], meeting["name"], starts]
    if meeting["ready"] is None:
        said.append(words.say("page.meetings.points", lang, count=meeting["total"]))
    else:
        said.append(words.say("meeting.summary", lang, ready=meeting["ready"], total=meeting["total"]))
    common.say(" · ".join(said))
    for point in meeting["not_ready"] or ():
        parts = [point["name"], words.lack(point["lack"], lang)]
        if point["reason"] != "ok":
            parts.append(words.reason(point["reason"], lang))
        if point["blamed_on"]:
            parts.append(words.say("meeting.blamed", lang, name=point["blamed_on"]))
        if point["lack"] == "loss":
            parts.append(words.percent(point["loss"], lang, 1))
        if point["lack"] == "mos":
            parts.append(words.number(point["mos"], lang, 1))
        common.say("  " + " · ".join(parts))
