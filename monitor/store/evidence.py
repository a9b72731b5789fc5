"""Evidence on the disk: `evidence/<check>/<utc>-<first or latest>-<name>.<ending>` in the state directory.

Owns: the names, writing a file whole or not at all, and how much is kept: of an outage the first and the latest, of a check and in all at most
so many. Never: runs in the event loop (it waits for the disk), opens a path that a request made, keeps what a browser would run.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from monitor.model.evidence import MEDIA_TYPES, Evidence
from probes.contract import Attachment

OF_A_CHECK: Final = 200
"""Files of one check; then the oldest go."""

IN_ALL: Final = 512 * 1024 * 1024
"""Bytes of all together; then the oldest go."""

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{3}Z)-(first|latest)-([a-z][a-z0-9_]{0,31})\.(jpg|png|txt)")
_ENDINGS: Final = {media_type.partition(";")[0]: ending for ending, media_type in MEDIA_TYPES.items()}


class EvidenceShelf:
    """All evidence under one directory. Every method may wait for the disk; OSError where it does not do."""

    def __init__(self, directory: Path, *, of_a_check: int = OF_A_CHECK, in_all: int = IN_ALL) -> None:
        self._directory, self._of_a_check, self._in_all = directory, of_a_check, in_all

    def keep(self, check: str, at: datetime, attachments: Iterable[Attachment], *, first: bool) -> None:
        """Write what a failed run kept. The latest of an outage takes the place of the latest before it."""
        folder = self._folder(check)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for attachment in attachments:
            ending = _ENDINGS.get(attachment.media_type.partition(";")[0])
            place = "first" if first else "latest"
            stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"
            name = f"{stamp}-{place}-{attachment.name}.{ending}"
            if ending is None or not _NAME.fullmatch(name):
                continue
            _write(folder / name, attachment.data)
            if not first:
                self._forget_former(folder, name)
        for path in sorted(self._files(folder))[: -self._of_a_check]:
            _remove(path)

    def of(self, check: str, since: datetime, until: datetime) -> tuple[Evidence, ...]:
        """What was kept of a check in [since, until], oldest first."""
        found = (_read_name(check, path) for path in sorted(self._files(self._folder(check))))
        return tuple(each for each in found if since <= each.at <= until)

    def read(self, evidence: Evidence) -> bytes | None:
        """Its bytes; None when it has gone meanwhile."""
        try:
            return (self._folder(evidence.check) / evidence.name).read_bytes()
        except FileNotFoundError:
            return None

    def prune(self, checks: Iterable[str], keep: Callable[[Evidence], bool]) -> int:
        """Let go of what need not be kept, of checks that are gone, and of the oldest beyond what all may take; how many that was."""
        gone = 0
        known = {self._folder(check): check for check in checks}
        kept: list[tuple[str, Path, int]] = []
        for folder in self._folders():
            for path in self._files(folder):
                evidence = _read_name(known.get(folder, ""), path)
                if keep(evidence):
                    kept.append((path.name, path, evidence.size))
                else:
                    gone += _remove(path)
            with contextlib.suppress(OSError):
                folder.rmdir()  # Only when nothing is in it.
        held = sum(size for _, _, size in kept)
        for _, path, size in sorted(kept):
            if held <= self._in_all:
                break
            gone += _remove(path)
            held -= size
        return gone

    def _folder(self, check: str) -> Path:
        """A check's id as a name that a file may have: readable, and still its own."""
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", check)[:60].lstrip(".")
        return self._directory / f"{plain}-{hashlib.blake2b(check.encode(), digest_size=6).hexdigest()}"

    def _folders(self) -> list[Path]:
        try:
            return [path for path in self._directory.iterdir() if path.is_dir()]
        except FileNotFoundError:
            return []

    @staticmethod
    def _files(folder: Path) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            for path in folder.iterdir():
                if _NAME.fullmatch(path.name):
                    yield path

    def _forget_former(self, folder: Path, name: str) -> None:
        """Of this outage, which began with the last `first`, only the newest `latest` stays."""
        match = _NAME.fullmatch(name)
        assert match is not None
        begun = max((p.name for p in self._files(folder) if "-first-" in p.name and p.name < name), default="")
        for path in list(self._files(folder)):
            other = _NAME.fullmatch(path.name)
            if other is not None and begun < path.name < name and other[2] == "latest" and other[3] == match[3]:
                _remove(path)


def _read_name(check: str, path: Path) -> Evidence:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    at = datetime.strptime(match[1], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return Evidence(
        name=path.name, check=check, at=at, first=match[2] == "first", media_type=MEDIA_TYPES[match[4]], size=size
    )


def _write(path: Path, data: bytes) -> None:
    """Whole, or not at all."""
    draft = path.with_name(f".{path.name}.new")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(file, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)


def _remove(path: Path) -> int:
    try:
        path.unlink()
    except OSError:
        return 0
    return 1
