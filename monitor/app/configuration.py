"""The configuration as the whole house reads it: the settings' language, with the receivers that there are."""

from collections.abc import Mapping
from pathlib import Path

from monitor import notify, settings


def receiver_kinds() -> Mapping[str, settings.ReceiverKind]:
    """The kinds of receivers that messages can be sent to."""
    return notify.KINDS


def load_configuration(path: Path, environ: Mapping[str, str], *, strict: bool) -> settings.Loaded:
    """Read and check; settings.ConfigError has everything that is wrong. Reads files: not for a running loop."""
    return settings.load(path, environ=environ, strict_references=strict, receivers=receiver_kinds())
