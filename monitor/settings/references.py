"""Secrets and addresses by reference: `env:NAME` and `file:PATH`.

Owns: looking them up, each file once; and refusing what must not be written in a configuration: passwords, tokens, `${…}`.
Never: shows a value. Whatever it says names the reference only.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from monitor.settings.document import Tree
from monitor.settings.problems import Problem
from probes.secret import Secret

FILE_LIMIT: Final = 64 * 1024

_REFERENCE = re.compile(r"(env|file):(.+)", re.DOTALL)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOLLAR = re.compile(r"\$\{[A-Za-z_][\w:./-]*\}")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@]+@")
_SECRET_KEY = re.compile(
    r"(proxy-)?authorization|cookie|x-(auth|api)-.*|.*(password|passwd|secret|api[-_]?key|private[-_]?token|access[-_]?token)",
    re.I,
)

UNSET: Final = Secret("")


def is_reference(value: object) -> bool:
    """Whether a text stands for something kept elsewhere."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


class References:
    """What the references of one configuration stand for. Relative files are credentials of the service, or beside the configuration."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = Path(environ.get("CREDENTIALS_DIRECTORY") or folder)
        self._seen: dict[str, Secret] = {}
        self.open_files: dict[str, int] = {}
        """Files of secrets that others may read, with their mode."""

    def look_up(self, reference: str) -> Secret:
        """The value, or `UNSET` when there is none; an empty value is none."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            return UNSET
        if reference not in self._seen:
            value = Secret(self._environ.get(match[2], "")) if match[1] == "env" else self._read(match[2])
            self._seen[reference] = value
        return self._seen[reference]

    def scrub(self, text: str) -> str:
        """The text without any value that has been looked up."""
        for secret in self._seen.values():
            value = secret.reveal()
            for form in (value, repr(value)[1:-1]):
                text = text.replace(form, repr(secret)) if len(form) > 3 else text
        return text

    def _read(self, name: str) -> Secret:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                content = file.read(FILE_LIMIT + 1)
            if path.stat().st_mode & 0o077:
                self.open_files[name] = path.stat().st_mode & 0o777
            return Secret(content.decode().rstrip("\r\n") if len(content) <= FILE_LIMIT else "")
        except (OSError, ValueError):
            return UNSET


def check_texts(key: str, tree: Tree) -> Iterator[Problem]:
    """Everything a file may not hold, wherever it stands."""
    for child_key, name, child in _walk(key, "", tree):
        text = child.value
        if not isinstance(text, str):
            continue
        message = _wrong_with(name, text)
        if message:
            yield Problem.at(child.place, child_key, message)


def _walk(key: str, name: str, tree: Tree) -> Iterator[tuple[str, str, Tree]]:
    yield key, name, tree
    for child_name, child in tree.items():
        yield from _walk(f"{key}.{child_name}" if key else child_name, child_name, child)
    for index, child in enumerate(tree.elements()):
        yield from _walk(f"{key}.{index}", name, child)


def _wrong_with(name: str, text: str) -> str:
    match = _REFERENCE.fullmatch(text)
    if match and match[1] == "env" and not _ENV_NAME.fullmatch(match[2]):
        return "this is not the name of an environment variable: write env:NAME"
    if _DOLLAR.search(text):
        return "${…} is not filled in here: write env:NAME or file:PATH as the whole value"
    if _USERINFO.search(text):
        return "a user or password is written in an address: keep the whole address in env:NAME or file:PATH"
    if not match and text and _SECRET_KEY.fullmatch(name) and "{" not in text:
        return "a secret is written in the file: keep it in env:NAME or file:PATH"
    return ""
