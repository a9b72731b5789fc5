"""Checks that nobody can run yet, because their address is not known; and the files that a check needs.

Owns: taking such checks out of the tree before it is validated, and saying what they wait for.
Never: takes anything out for another reason; what is wrong is left for the validation to say.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.model import MONITOR
from monitor.settings.document import Tree
from monitor.settings.inventory import Lack
from monitor.settings.kinds import STEP_ADDRESSES, Row
from monitor.settings.problems import Problem
from monitor.settings.references import UNSET, References, is_reference

_FILES = ("ca", "cert", "key", "issuer", "body_file")


class Shelf:
    """What is put aside, and what it waits for."""

    def __init__(self, rows: Mapping[str, Row], references: References) -> None:
        self.rows, self.references = rows, references
        self.lacks: list[Lack] = []
        self.shortened: set[str] = set()
        self.problems: list[Problem] = []
        self._seen: set[int] = set()

    def clear(self, root: Tree) -> None:
        """Go through all checks and anchors."""
        for node, tree in (root.get("nodes") or Tree({}, root.place)).items():
            checks = tree.get("checks")
            if checks is None or not isinstance(checks.value, dict):
                continue
            for name, check in list(checks.value.items()):
                lacks = self._look(f"nodes.{node}.checks.{name}", check)
                if lacks:
                    del checks.value[name]
                    self.shortened.add(node)
                    self.lacks.append(Lack(f"{node}/{name}", lacks, 1, 1, is_check=True))
        anchors = (root.get("self") or root).get("anchors")
        if anchors is not None and isinstance(anchors.value, list):
            kept = []
            for index, anchor in enumerate(anchors.value):
                lacks = self._look(f"self.anchors.{index}", anchor)
                named = anchor.get("name")
                if lacks:
                    self.lacks.append(
                        Lack(f"{MONITOR}/{named.value if named else index + 1}", lacks, 1, 1, is_check=True)
                    )
                else:
                    kept.append(anchor)
            anchors.value = list(kept)

    def _look(self, key: str, check: Tree) -> str:
        """What the check lacks, or nothing."""
        kinds = [kind for kind in check.keys if kind in self.rows]
        if len(kinds) != 1:
            return ""
        spec = check.value[kinds[0]] if isinstance(check.value, dict) and kinds[0] in check.value else None
        if spec is None:
            return ""
        lacks = next(
            filter(None, (self._lacks(name, tree) for name, tree in _addresses(self.rows[kinds[0]], spec))), ""
        )
        if not lacks:
            self._check_files(f"{key}.{kinds[0]}", spec)
        return lacks

    def _lacks(self, name: str, tree: Tree) -> str:
        if tree.blank:
            return name
        if isinstance(tree.value, str) and is_reference(tree.value) and self.references.look_up(tree.value) == UNSET:
            return tree.value
        return ""

    def _check_files(self, key: str, spec: Tree) -> None:
        """Files are written relative to the file that names them; from here on by their full way."""
        for name, tree in spec.items():
            if name == "tls":
                self._check_files(f"{key}.tls", tree)
            text = tree.value
            if (
                name not in _FILES
                or not isinstance(text, str)
                or tree.blank
                or is_reference(text)
                or id(tree) in self._seen
            ):
                continue
            self._seen.add(id(tree))  # A template's rows share what is the same in all of them.
            path = Path(tree.place.file).parent / text
            if path.is_file():
                tree.value = str(path)
            else:
                self.problems.append(Problem.at(tree.place, f"{key}.{name}", f"there is no file {path}"))


def _addresses(row: Row, spec: Tree) -> Iterator[tuple[str, Tree]]:
    """The values that say where the target is."""
    for name in row.addresses:
        tree = spec.get(name)
        if tree is not None:
            yield name, tree
    if row.name == "journey":
        for step in (spec.get("steps") or spec).elements():
            for name in STEP_ADDRESSES:
                tree = step.get(name)
                if tree is not None:
                    yield name, tree
