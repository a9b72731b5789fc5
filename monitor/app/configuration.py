"""The configuration as the whole house reads it: the settings' language, with the receivers that there are."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor import notify, settings


def receiver_kinds() -> Mapping[str, settings.ReceiverKind]:
    """The kinds of receivers that messages can be sent to."""
    return notify.KINDS


def load_configuration(path: Path, environ: Mapping[str, str], *, strict: bool) -> settings.Loaded:
    """Read and check; settings.ConfigError has everything that is wrong. Reads files: not for a running loop."""
    return settings.load(
        path, environ=environ, strict_references=strict, receivers=receiver_kinds(), almanac=_almanac()
    )


def verdict(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What `validate --json` prints."""
    return settings.verdict(path, environ=environ, receivers=receiver_kinds(), almanac=_almanac())


def _almanac() -> settings.Almanac:
    def moments(cron: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterable[datetime]:
        # Only a configuration in which something comes round needs APScheduler, and only a daemon has it already.
        from monitor.schedule import occurrences

        return occurrences(cron, zone, start=start, end=end)

    return settings.Almanac(moments, datetime.now(UTC))
