"""The JSON schema that editors complete from knows every key, says what it means, and does not lie about what is taken."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

import probes
from monitor.settings import ConfigError, load, schema
from monitor.settings.blocks import Block
from monitor.settings.document import read
from monitor.settings.kinds import probe_rows
from monitor.settings.later import NOT_IN_EFFECT

FOLDER = Path(__file__).parent
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Rules of one value or one mapping, which a schema can say.
LOCAL = [
    "bad_severity", "bad_effect", "unknown_key_of_a_node", "unknown_key_of_a_check", "unknown_kind", "two_kinds", "no_kind", "key_missing",
    "number_for_a_text", "text_for_a_number", "text_for_a_mapping", "list_for_a_mapping", "unknown_section", "version_unknown",
    "report_in_no_format", "receiver_of_two_kinds", "group_without_members", "route_without_send", "bad_port",
]  # fmt: skip


def definitions() -> dict[str, Any]:
    return {name: part for name, part in SCHEMA["$defs"].items() if "properties" in part}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_takes_what_is_taken() -> None:
    VALIDATOR.validate(read(FOLDER / "good" / "everything.yaml").plain())


@pytest.mark.parametrize("name", LOCAL)
def test_it_refuses_what_is_refused(name: str) -> None:
    assert not VALIDATOR.is_valid(read(FOLDER / "bad" / f"{name}.yaml").plain())


def test_every_kind_is_a_key_of_a_check() -> None:
    check = SCHEMA["$defs"]["Check"]
    assert probes.KINDS.keys() <= check["properties"].keys()
    assert {each["required"][0] for each in check["oneOf"]} == probe_rows().keys()


def test_every_key_of_the_language_says_what_it_means() -> None:
    silent = [
        f"{name}.{key}"
        for name, part in definitions().items()
        for key, value in part["properties"].items()
        if not described(value) and name in ours()
    ]
    assert silent == []


def described(value: dict[str, Any]) -> bool:
    return "description" in value or "description" in SCHEMA["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})


def ours(base: type[Block] = Block) -> set[str]:
    """The names of the language's own models; a kind's keys are explained by the kind."""
    return {base.__name__}.union(*(ours(each) for each in base.__subclasses__()))


def test_no_secret_may_be_written_in_a_secret_key() -> None:
    secret = SCHEMA["$defs"]["Turn"]["properties"]["password"]
    assert secret["pattern"] == "^(env|file):.+"


def test_defaults_are_written_as_people_write_them() -> None:
    assert SCHEMA["$defs"]["DefaultsBlock"]["properties"]["every"]["default"] == "1m"
    assert SCHEMA["properties"]["defaults"]["default"]["recovery_target"] == "1d"


def test_what_is_not_in_effect_names_keys_that_exist(tmp_path: Path) -> None:
    assert len({pattern for pattern, _ in NOT_IN_EFFECT}) == len(NOT_IN_EFFECT)
    for pattern, waits_for in NOT_IN_EFFECT:
        assert waits_for
        assert pattern.split(".")[0].partition("=")[0] in SCHEMA["properties"]


def test_a_slip_in_a_probes_key_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nnodes: {a: {name: A, type: s, checks: {c: {stun: {host: h, prot: 1}}}}}\n")
    with pytest.raises(ConfigError, match='unknown key; did you mean "port"'):
        load(path, environ={})
