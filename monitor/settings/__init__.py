"""The configuration: YAML and CSV files in, one frozen catalogue out, or everything that is wrong with them at once.

`load` builds, `verdict` is what `validate --json` prints, `schema` is what editors complete from, `plan` is what a reload would change.
"""

from collections.abc import Mapping
from typing import Any

from monitor.settings.effect import NotInEffect
from monitor.settings.kinds import ReceiverKind
from monitor.settings.load import Loaded, Waiting, load, verdict
from monitor.settings.meetings import Almanac
from monitor.settings.problems import ConfigError, Problem
from monitor.settings.reload import Change, Difference, Plan, plan
from monitor.settings.schema import NO_RECEIVERS, grammar

__all__ = [
    "Almanac",
    "Change",
    "ConfigError",
    "Difference",
    "Loaded",
    "NotInEffect",
    "Plan",
    "Problem",
    "ReceiverKind",
    "Waiting",
    "load",
    "plan",
    "schema",
    "verdict",
]


def schema(receivers: Mapping[str, ReceiverKind] = NO_RECEIVERS) -> dict[str, Any]:
    """The JSON schema of a configuration file, with the kinds of probes and receivers there are now."""
    return grammar(receivers).json_schema
