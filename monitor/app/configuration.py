"""The configuration as the whole house reads it: the settings' language, with the receivers that there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor import notify, settings


def receiver_specs() -> dict[str, Any]:
    """The kinds of receivers and what their keys are read into."""
    return {name: kind.spec for name, kind in notify.KINDS.items()}


def load_configuration(path: Path, environ: Mapping[str, str], *, strict: bool) -> settings.Loaded:
    """Read and check; settings.ConfigError has everything that is wrong. Reads files: not for a running loop."""
    return settings.load(path, environ=environ, strict_references=strict, receivers=receiver_specs())
