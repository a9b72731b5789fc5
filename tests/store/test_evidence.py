"""Evidence on the disk: the first and the latest of an outage, whole files only, never more than there is room for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.store import EvidenceShelf
from probes.contract import Attachment

START = datetime(2026, 11, 21, 14, 3, 0, 123456, UTC)


def picture(data: bytes = b"x", media_type: str = "image/jpeg", name: str = "page") -> tuple[Attachment, ...]:
    return (Attachment(name=name, media_type=media_type, data=data),)


def after(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def test_of_an_outage_the_first_and_the_latest_are_kept(tmp_path: Path) -> None:
    shelf = EvidenceShelf(tmp_path / "evidence")
    for outage in (0, 60):
        for minute in range(5):
            shelf.keep("a/login", after(outage + minute), picture(b"%d" % (outage + minute)), first=minute == 0)
    pieces = shelf.of("a/login", after(-1), after(100))
    assert [(piece.first, shelf.read(piece)) for piece in pieces] == [
        (True, b"0"),
        (False, b"4"),
        (True, b"60"),
        (False, b"64"),
    ]
    assert pieces[0].at == START.replace(microsecond=123000)
    assert [shelf.read(piece) for piece in shelf.of("a/login", after(30), after(62))] == [b"60"]
    assert shelf.of("a/other", after(-1), after(100)) == ()


BAD = [
    ("what a browser would run", "text/html", "page"),
    ("a picture that can hold a script", "image/svg+xml", "page"),
    ("a name with a path in it", "image/png", "../../etc/passwd"),
    ("a name that is none", "image/png", ""),
]


@pytest.mark.parametrize(("sentence", "media_type", "name"), BAD, ids=[case[0] for case in BAD])
def test_it_is_not_kept(sentence: str, media_type: str, name: str, tmp_path: Path) -> None:
    shelf = EvidenceShelf(tmp_path / "evidence")
    shelf.keep("a/login", START, picture(b"x", media_type, name), first=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("check", ["xã.Phủ Lý/đăng nhập", "../../x", "." * 200, "a/" + "b" * 300])
def test_whatever_a_check_is_called_its_files_stay_inside(check: str, tmp_path: Path) -> None:
    shelf = EvidenceShelf(tmp_path / "evidence")
    shelf.keep(check, START, picture(), first=True)
    (kept,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept.parent.parent == tmp_path / "evidence"
    assert len(shelf.of(check, after(-1), after(1))) == 1


def test_half_a_file_is_no_evidence(tmp_path: Path) -> None:
    shelf = EvidenceShelf(tmp_path / "evidence")
    shelf.keep("a/login", START, picture(), first=True)
    (kept,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept.rename(kept.with_name(f".{kept.name}.new"))
    assert shelf.of("a/login", after(-1), after(1)) == ()


def test_of_a_check_and_in_all_there_is_only_so_much(tmp_path: Path) -> None:
    shelf = EvidenceShelf(tmp_path / "evidence", of_a_check=3, in_all=250)
    for minute in range(6):
        shelf.keep("a/login", after(minute), picture(b"x" * 100), first=True)
    assert [piece.at.minute for piece in shelf.of("a/login", after(0) - timedelta(1), after(9))] == [6, 7, 8]
    assert shelf.prune(["a/login"], lambda piece: True) == 1
    assert shelf.prune(["a/login"], lambda piece: piece.at > after(4)) == 1
    assert shelf.prune(["a/login"], lambda piece: False) == 1
    assert list((tmp_path / "evidence").iterdir()) == []
    assert shelf.prune(["a/login"], lambda piece: True) == 0
