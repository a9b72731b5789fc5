"""`validate`, `plan`, `schema`: the configuration looked at without starting anything."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import common
from monitor.cli.common import DEFAULT, Config, Json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command()(plan)
    app.command()(schema)


def validate(config: Config = DEFAULT, as_json: Json = False) -> None:
    """Check the configuration: every error with its place, what waits for an address, what is not yet in effect."""
    from monitor.app.configuration import verdict

    if as_json:
        result = verdict(config, os.environ)
        common.say_json(result)
        raise typer.Exit(common.GOOD if result["ok"] else common.WRONG)
    loaded = common.load(config)
    for warning in loaded.warnings:
        common.complain(f"warning: {warning}")
    for later in loaded.not_in_effect:
        common.complain(str(later))
    for waiting in loaded.waiting:
        common.complain(f"waiting for an address: {waiting}")
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in loaded.counts.items())
    common.say(f"{config}: good: {counts}")


def plan(
    new: Annotated[Path, typer.Argument(help="The configuration as it would be.")],
    config: Config = DEFAULT,
    as_json: Json = False,
) -> None:
    """What a reload with NEW would change: nodes and checks added, removed, changed, and those that keep their phase."""
    from monitor import settings

    changes = settings.plan(common.load(config).catalogue, common.load(new).catalogue)
    if as_json:
        common.say_json(changes.as_dict())
    else:
        common.say(str(changes))


def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    from monitor import settings
    from monitor.app.configuration import receiver_kinds

    common.say(json.dumps(settings.schema(receiver_kinds()), ensure_ascii=False, indent=2))
