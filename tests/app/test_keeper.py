"""Which pictures of an outage are kept, and for how long: by what each check's outcomes were, without a browser."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from monitor.app.evidence import EvidenceKeeper
from monitor.model import CheckState, State
from probes import Outcome, Reason, Seen
from probes.contract import Attachment
from tests.web.still import NOW, catalogue, incident

CHECK = "motcua/home"
CATALOGUE = catalogue()


class Incidents:
    """A store that knows one incident."""

    def __init__(self, *known: Any) -> None:
        self.known = known

    async def incidents(self, **_: Any) -> Any:
        return SimpleNamespace(incidents=self.known, cursor=None)


def keeper(folder: Path, *known: Any, states: dict[str, State] | None = None) -> EvidenceKeeper:
    told = states if states is not None else {}

    def state_of(check: str) -> CheckState | None:
        return CheckState(check=check, state=told[check]) if check in told else None

    store: Any = Incidents(*known)
    return EvidenceKeeper(folder, store, state_of)


def outcome(seen: Seen, minute: int) -> Outcome:
    reason = {Seen.OK: Reason.OK, Seen.FAILED: Reason.STEP, Seen.BLIND: Reason.OWN_NETWORK}[seen]
    kept = () if seen is Seen.OK else (Attachment(name="page", media_type="image/jpeg", data=b"%d" % minute),)
    at = NOW - timedelta(minutes=60 - minute)
    return Outcome(seen=seen, reason=reason, detail="", started_at=at, seconds=0.1, attachments=kept)


STORIES = [
    # what the page did, minute by minute: . well, F failed, B blind; u and d: judged up, down from here on      what is kept
    ("an outage", "u.FdFFFF", ["2 first", "6 latest"]),
    ("two, well between them", "u.FdFFu..FFF", ["2 first", "4 latest", "7 first", "9 latest"]),
    ("one good round does not end it", "u.FFd.FF", ["2 first", "6 latest"]),
    ("what we did not believe is no evidence", "u.BB.", []),
    ("failing since we started", "dFFF", ["1 first", "3 latest"]),
]


async def test_which_pictures_are_kept(tmp_path: Path) -> None:
    for sentence, story, expected in STORIES:
        states: dict[str, State] = {}
        watch = keeper(tmp_path / sentence, states=states)
        minute = 0
        for letter in story:
            if letter in "ud":
                states[CHECK] = State.UP if letter == "u" else State.DOWN
                continue
            minute += 1
            seen = {".": Seen.OK, "F": Seen.FAILED, "B": Seen.BLIND}[letter]
            assert watch.taken(CHECK, outcome(seen, minute)).attachments == ()
        await watch.drain()
        pieces = await watch.of(incident(started_at=NOW - timedelta(hours=1)), CATALOGUE, NOW)
        assert [f"{int(await watch.read(p) or b'0')} {'first' if p.first else 'latest'}" for p in pieces] == expected, (
            sentence
        )


async def test_a_picture_stays_as_long_as_its_incident(tmp_path: Path) -> None:
    started = NOW - timedelta(minutes=59, seconds=1)
    old = incident(started_at=started, resolved_at=NOW - timedelta(minutes=58))
    watch = keeper(tmp_path, old)
    watch.taken(CHECK, outcome(Seen.FAILED, 1))
    watch.taken(CHECK, outcome(Seen.OK, 2))
    watch.taken(CHECK, outcome(Seen.FAILED, 5))  # Once, which was no incident.
    await watch.drain()
    for days, left in ((30, [1, 5]), (100, [1]), (4000, [])):
        await watch.upkeep(CATALOGUE, NOW + timedelta(days=days))
        found = [path.name[9:13] for path in sorted(tmp_path.rglob("*.jpg"))]
        assert found == [f"{NOW - timedelta(minutes=60 - minute):%H%M}" for minute in left]


async def test_the_disk_may_be_slow_or_full_and_nothing_else_notices(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file where the folder should be")
    watch = keeper(tmp_path / "evidence")
    for minute in range(59):
        assert watch.taken(CHECK, outcome(Seen.FAILED, minute)).seen is Seen.FAILED
    await watch.drain()
