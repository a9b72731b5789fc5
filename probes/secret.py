"""A value that must never be seen: printed, logged, compared by accident or stored."""

from typing import Any, final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@final
class Secret:
    """A secret text. Every way of printing it says `<secret>`; `reveal()` is the one way in."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only what the settings have already resolved; a plain text in a file is a mistake and is refused there."""
        return core_schema.is_instance_schema(
            cls,
            metadata={
                "pydantic_js_functions": [lambda _core, _handler: {"type": "string", "pattern": "^(env|file):.+"}]
            },
        )
