"""`run` and `demo`: the daemon itself."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from monitor.cli import common
from monitor.cli.common import DEFAULT, Config


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(demo)


TERMINAL: Final = ("rich", "httpx._main")
"""What httpx and structlog load only to be pretty on a terminal: 5 MiB that a daemon keeps for life. Both do without where it is not there."""


@contextmanager
def lean() -> Iterator[None]:
    """What is imported meanwhile finds nothing of `TERMINAL`, unless somebody has loaded it before."""
    hidden = [name for name in TERMINAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: the import system then says "not found".
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def run(config: Config = DEFAULT) -> None:
    """Watch. Stops on SIGTERM or Ctrl-C; reads the configuration again on SIGHUP."""
    with lean():
        # The configuration first: what reading a large one leaves behind is room that everything imported after it fills.
        loaded = common.load(config, strict=True)
        from monitor.app.application import serve
        from monitor.app.system import log_to
        from monitor.store import AlreadyRunning, StoreError
    log_to()
    try:
        serve(config, loaded, environ=os.environ)
    except AlreadyRunning as busy:
        common.leave(common.BUSY, str(busy))
    except (StoreError, OSError) as problem:
        common.leave(common.BLIND, f"cannot start: {problem}")


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files; emptied at every start.")] = Path(
        "var/demo"
    ),
    port: Annotated[int, typer.Option(help="The page's port.", min=1, max=65535)] = 9464,
    quiet: Annotated[bool, typer.Option(help="Break nothing.")] = False,
) -> None:
    """The province in a box: 129 communes on this machine's loopback, watched for real, with faults by a script."""
    with lean():
        from monitor.cli.demo import play
    play(folder, port, quiet=quiet)
