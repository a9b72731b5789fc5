"""What every command shares: where the configuration is, how errors are told, how a running daemon is asked."""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from monitor.model import Language
    from monitor.settings import Loaded

GOOD, BAD, WRONG, BLIND, BUSY = 0, 1, 2, 3, 75

DEFAULT: Final = Path("config/ninhbinh.yaml")


class Lang(StrEnum):
    """The language of what is printed."""

    VI = "vi"
    EN = "en"


Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", envvar="THONGSUOT_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Language_ = Annotated[Lang | None, typer.Option("--lang", help="vi or en; the locale decides without it.")]


def language(chosen: Lang | None) -> "Language":
    """The language asked for; else Vietnamese, unless the locale says English."""
    if chosen is not None:
        return "en" if chosen is Lang.EN else "vi"
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.lower().startswith("en") else "vi"


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(text + "\n")


def say_json(value: Any) -> None:
    """JSON on standard output, for another program."""
    say(json.dumps(value, ensure_ascii=False, indent=2))


def complain(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")


def leave(code: int, text: str = "") -> NoReturn:
    """End with an exit code, and a word why."""
    if text:
        complain(text)
    raise typer.Exit(code)


def load(path: Path, *, strict: bool = False) -> "Loaded":
    """The configuration, or every error in it and exit code 2."""
    from monitor import settings
    from monitor.app.configuration import load_configuration

    try:
        return load_configuration(path, os.environ, strict=strict)
    except settings.ConfigError as error:
        for problem in error.problems:
            complain(str(problem))
        leave(WRONG, f"{len(error.problems)} error(s); nothing was started or changed")


def ask(
    path: Path,
    route: str,
    params: Mapping[str, str | int] | None = None,
    *,
    method: str = "GET",
    patience: float = 10.0,
) -> Any:
    """The answer of the running daemon's API as JSON, waited for `patience` seconds; exit code 3 when it cannot be asked."""
    loaded = load(path)
    daemon = loaded.catalogue.daemon
    host = f"[{daemon.host}]" if ":" in daemon.host else daemon.host
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 It is asked, not listened on.
    query = "?" + urllib.parse.urlencode(params) if params else ""
    address = f"http://{host}:{daemon.port}{route}{query}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(address, method=method), timeout=patience) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        detail = _detail(error)
        leave(WRONG if error.code in (404, 422) else BLIND, f"the daemon answers {error.code}: {detail}")
    except (OSError, ValueError) as error:
        leave(BLIND, f"no daemon answers at {address}: {error}")


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error).get("detail", error.reason))
    except ValueError:
        return str(error.reason)
