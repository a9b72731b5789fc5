"""Loading a configuration: the one way from files to a catalogue.

Owns: the order of things, the counts, and what `validate` prints. Reads files, so a running loop calls it in a thread.
Never: leaves half a catalogue behind: it is whole and checked, or there is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from monitor.model import MONITOR, Catalogue, Check, Daemon, Party, Province, Retention, SelfCheck
from monitor.settings import language
from monitor.settings.blocks import GroupBlock
from monitor.settings.build import Checks, Draft, Nodes
from monitor.settings.effect import NotInEffect, idle_receiver, not_in_effect
from monitor.settings.fingerprint import fingerprint
from monitor.settings.inventory import Lack
from monitor.settings.kinds import ReceiverKind
from monitor.settings.meetings import Almanac, Meetings
from monitor.settings.problems import ConfigError, Problem, merge_repeats
from monitor.settings.references import UNSET, References, check_texts
from monitor.settings.schema import NO_RECEIVERS, Grammar, grammar
from monitor.settings.sentences import follow
from monitor.settings.sources import gather
from monitor.settings.telling import Telling
from monitor.settings.validate import Validation
from monitor.settings.waiting import Shelf
from probes.secret import Secret


@dataclass(frozen=True, slots=True)
class Waiting:
    """Checks or nodes that are left out because they lack an address: so many of so many, and what they lack."""

    subject: str
    lacks: str
    count: int
    total: int

    def __str__(self) -> str:
        return f"{self.subject}: {self.count} of {self.total} wait for {self.lacks}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A catalogue with what there is to say about it. `files` are all that were read, for noticing changes."""

    catalogue: Catalogue
    warnings: tuple[Problem, ...]
    waiting: tuple[Waiting, ...]
    not_in_effect: tuple[NotInEffect, ...]
    counts: Mapping[str, int]
    files: tuple[Path, ...] = ()


def load(
    path: str | Path,
    *,
    environ: Mapping[str, str],
    strict_references: bool = False,
    receivers: Mapping[str, ReceiverKind] = NO_RECEIVERS,
    almanac: Almanac | None = None,
) -> Loaded:
    """Read, check and build; `ConfigError` has everything that is wrong.

    `receivers` are the kinds that messages can be sent to, by name (`monitor.notify.KINDS`). A reference that stands
    for nothing is a warning, or with `strict_references` a problem; but a check whose address it is just waits for it. Without an
    `almanac` nothing is said of announced work that falls into a meeting where one of them comes round.
    """
    path = Path(path)
    root, sources = gather(path)
    if root is None:
        raise ConfigError(sources.problems)
    words = grammar(receivers)
    references = References(environ, path.parent)
    texts = list(check_texts("", root))
    shelf = Shelf(words.probes, references)
    shelf.clear(root)
    later = tuple(not_in_effect(root, words))
    validation = Validation(root, words, references, {problem.key for problem in [*texts, *shelf.problems]})
    file = validation.run()
    problems = [*sources.problems, *texts, *shelf.problems, *validation.problems]
    if file is None:
        raise ConfigError(merge_repeats(problems))
    draft = Draft(file, validation, incomplete=sources.incomplete)
    _check_holidays(draft)
    waiting_anchors = sum(lack.subject.startswith(f"{MONITOR}/") for lack in shelf.lacks)
    catalogue = _catalogue(draft, words, sources.shortened | shelf.shortened, waiting_anchors, almanac)
    for problem, needed in _unset(validation, words):
        (problems if needed and strict_references else draft.warnings).append(problem)
    problems += draft.problems
    if problems:
        raise ConfigError(merge_repeats(problems))
    draft.warnings.extend(_open_files(references, path))
    lacks = [*sources.lacks, *shelf.lacks]
    return Loaded(
        catalogue=replace(catalogue, fingerprint=fingerprint(catalogue)),
        warnings=merge_repeats(draft.warnings),
        waiting=tuple(_waiting(lacks, draft)),
        not_in_effect=later,
        counts=_counts(catalogue, lacks),
        files=tuple(sources.files),
    )


def verdict(
    path: str | Path,
    *,
    environ: Mapping[str, str],
    strict_references: bool = False,
    receivers: Mapping[str, ReceiverKind] = NO_RECEIVERS,
    almanac: Almanac | None = None,
) -> dict[str, Any]:
    """What `validate --json` prints: never an exception for a wrong file."""
    try:
        loaded = load(path, environ=environ, strict_references=strict_references, receivers=receivers, almanac=almanac)
    except ConfigError as error:
        return {
            "ok": False,
            "errors": [problem.as_dict() for problem in error.problems],
            "warnings": [],
            "counts": {"nodes": 0, "checks": 0, "waiting_for_address": 0},
            "waiting": [],
            "not_in_effect": [],
        }
    return {
        "ok": True,
        "errors": [],
        "warnings": [problem.as_dict() for problem in loaded.warnings],
        "counts": dict(loaded.counts),
        "waiting": [
            {"subject": each.subject, "lacks": each.lacks, "count": each.count, "total": each.total}
            for each in loaded.waiting
        ],
        "not_in_effect": [
            {"key": each.key, "waits_for": each.waits_for, "count": each.count} for each in loaded.not_in_effect
        ],
    }


def _catalogue(
    draft: Draft, words: Grammar, shortened: set[str], waiting_anchors: int, almanac: Almanac | None
) -> Catalogue:
    file = draft.file
    checks = Checks(draft, words.probes)
    building = Nodes(draft, checks, shortened)
    nodes, made = building.build()
    telling = Telling(draft, words)
    receivers = telling.receivers()
    zone = ZoneInfo(file.province.timezone)
    host, _, port = file.daemon.listen.rpartition(":")
    maintenance = telling.maintenance(zone, nodes)
    return Catalogue(
        province=Province(
            id=file.province.id,
            name=file.province.name,
            zone=zone,
            language=file.province.language,
            issuer=file.province.issuer,
        ),
        daemon=Daemon(
            host=host.strip("[]"),
            port=int(port),
            public_url=file.daemon.public_url,
            state_dir=file.daemon.state_dir,
            database=_database(draft),
        ),
        parties=MappingProxyType({name: Party(id=name, **block.model_dump()) for name, block in file.parties.items()}),
        nodes=MappingProxyType(nodes),
        checks=MappingProxyType(made),
        receivers=MappingProxyType(receivers),
        routes=telling.routes(receivers),
        maintenance=maintenance,
        meetings=Meetings(draft, zone, almanac).build(nodes, made, maintenance),
        reports=telling.reports(receivers),
        retention=Retention(**file.reports.retention.model_dump()),
        monitor=_self_check(draft, checks, waiting_anchors),
        fingerprint="",
        waiting=MappingProxyType(building.waiting()),
    )


def _check_holidays(draft: Draft) -> None:
    name = draft.file.holidays
    tree = draft.written(("holidays",))
    if name is not None and not (Path(tree.place.file).parent / name).is_file():
        draft.say(("holidays",), f"there is no file {Path(tree.place.file).parent / name}")


def _database(draft: Draft) -> str | Secret:
    """`sqlite`, or an address kept secret. What is not set stays an empty secret, which nothing can open."""
    database = draft.file.daemon.database
    text = database.reveal() if isinstance(database, Secret) else database
    if text == "sqlite":
        return text
    if text and not text.startswith("postgresql+asyncpg://"):
        message = "must be sqlite, or env:NAME with postgresql+asyncpg://…"
        draft.say(("daemon", "database"), message)
    return Secret(text)


def _self_check(draft: Draft, checks: Checks, waiting_anchors: int) -> SelfCheck:
    block = draft.file.monitor
    anchors: list[Check] = []
    for index, anchor in enumerate(block.anchors):
        name = anchor.name or str(index + 1)
        made = checks.build(MONITOR, name, anchor, ("self", "anchors", str(index)))
        if made.id in {each.id for each in anchors}:
            draft.say(
                ("self", "anchors", str(index), "name"), f"{name!r} is already an anchor: each needs its own name"
            )
        anchors.append(made)
    if block.quorum > max(1, len(anchors) + waiting_anchors):
        draft.say(("self", "quorum"), f"there are only {len(anchors)} anchors: at most so many can answer")
    beat = block.heartbeat
    return SelfCheck(
        anchors=tuple(anchors),
        quorum=max(1, min(block.quorum, len(anchors))),
        heartbeat_url=beat.url if beat and beat.url != UNSET else None,
        heartbeat_every=beat.every if beat else language.HeartbeatBlock.model_fields["every"].default,
    )


def _unset(validation: Validation, words: Grammar) -> Iterator[tuple[Problem, bool]]:
    """References that stand for nothing, and whether the daemon cannot do without. What is not in effect yet needs nothing."""
    for path, text in validation.unset.items():
        if path[0] == "receivers" and idle_receiver(path[1], follow(validation.root, path[:2])[1], words):
            continue
        kind, _, name = text.partition(":")
        what = (
            f"the environment variable {name} is not set" if kind == "env" else f"the file {name} is missing or empty"
        )
        problem = Problem.at(follow(validation.root, path)[1].place, validation.shown(path), what)
        yield problem, path != ("self", "heartbeat", "url")


def _open_files(references: References, path: Path) -> Iterator[Problem]:
    for name, mode in references.open_files.items():
        yield Problem(str(path), 0, 0, f"file:{name}", f"others may read this secret (mode {mode:04o}): chmod 400 it")


def _waiting(lacks: list[Lack], draft: Draft) -> Iterator[Waiting]:
    for lack in lacks:
        yield Waiting(lack.subject, lack.lacks, lack.count, lack.total)
    for name, block in draft.left_out.items():
        if isinstance(block, GroupBlock):
            yield Waiting(name, "its first member", 1, 1)


def _counts(catalogue: Catalogue, lacks: list[Lack]) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "nodes": len(catalogue.nodes),
            "checks": len(catalogue.checks),
            "waiting_for_address": sum(lack.count for lack in lacks if lack.is_check),
        }
    )
