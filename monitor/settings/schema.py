"""The whole language as one model, with the kinds of probes and receivers of the moment, and its JSON schema.

Owns: joining the tables of kinds to the models of `language.py`: a check and a receiver have exactly one kind as a key.
Never: keeps a model when the tables have changed.
"""

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from types import GenericAlias, MappingProxyType
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, Field, TypeAdapter, create_model

from monitor.settings import kinds, language
from monitor.settings.blocks import AnchorBlock, Block, CheckBlock, NodeBlock, OneKind
from monitor.settings.sentences import span

_ISO: Final = re.compile(r"P[0-9T].*")
_DELTA: Final = TypeAdapter(timedelta)

NO_RECEIVERS: Mapping[str, kinds.ReceiverKind] = MappingProxyType({})


@dataclass(frozen=True)
class Grammar:
    """The tables of kinds and the model made with them."""

    probes: Mapping[str, kinds.Row]
    receivers: Mapping[str, kinds.Row]

    @cached_property
    def file(self) -> TypeAdapter[language.FileBlock]:
        """Reads the plain data of a whole configuration."""
        check = _kinds("Check", CheckBlock, self.probes)
        anchor = _kinds("Anchor", AnchorBlock, self.probes)
        receiver = _kinds("Receiver", language.ReceiverBlock, self.receivers)
        node = _narrow("Node", NodeBlock, checks=_by_name(check))
        monitor = _narrow("Self", language.SelfBlock, anchors=_many(anchor))
        file = _narrow(
            "Configuration",
            language.FileBlock,
            nodes=_by_name(node),
            for_each=_many(_narrow("ForEach", language.ForEachBlock, nodes=_by_name(node))),
            monitor=monitor,
            receivers=_by_name(receiver),
        )
        return TypeAdapter(file)

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of the file."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Thông Suốt configuration",
            **{key: value for key, value in _readable_defaults(self.file.json_schema()).items() if key != "title"},
        }


def grammar(receivers: Mapping[str, kinds.ReceiverKind] = NO_RECEIVERS) -> Grammar:
    """The language as it is now; `receivers` are the kinds that can be sent to."""
    return _grammar(tuple(kinds.probe_rows().values()), tuple(kinds.receiver_rows(receivers).values()))


@lru_cache(maxsize=8)
def _grammar(probes: tuple[kinds.Row, ...], receivers: tuple[kinds.Row, ...]) -> Grammar:
    """Made once for the same rows: it costs more than reading a file does."""
    return Grammar({row.name: row for row in probes}, {row.name: row for row in receivers})


def _by_name(kind: Any) -> Any:
    return GenericAlias(Mapping, (str, kind))


def _many(kind: Any) -> Any:
    return GenericAlias(tuple, (kind, ...))


def _narrow(name: str, base: type[Block], **types: Any) -> Any:
    """The model with narrower types for some of its fields, everything else about them unchanged."""
    fields: dict[str, Any] = {}
    for field, kind in types.items():
        info = copy(base.model_fields[field])
        info.annotation = kind
        fields[field] = (kind, info)
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


def _kinds(name: str, base: type[OneKind], rows: Mapping[str, kinds.Row]) -> Any:
    """The model with one optional key per kind, of which exactly one is to be written."""
    names = tuple(rows)

    class WithKinds(base):  # type: ignore[misc,valid-type]
        model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in names]})
        kind_names: ClassVar[tuple[str, ...]] = names

    fields: dict[str, Any] = {
        kind: (row.spec, Field(default=None, description=row.summary)) for kind, row in rows.items()
    }
    return create_model(name, __base__=WithKinds, __doc__=base.__doc__, **fields)


def _readable_defaults(part: Any, *, default: bool = False) -> Any:
    """Durations among the defaults as a person writes them (`1m` for `PT1M`), and no default where nothing is the default."""
    if isinstance(part, dict):
        made = {key: _readable_defaults(value, default=default or key == "default") for key, value in part.items()}
        return {key: value for key, value in made.items() if key != "default" or value is not None}
    if isinstance(part, list):
        return [_readable_defaults(each, default=default) for each in part]
    if default and isinstance(part, str) and _ISO.fullmatch(part):
        return span(_DELTA.validate_python(part))
    return part
