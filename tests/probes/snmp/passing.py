"""Run by snmpd (`pass_persist`): answers from a table in a file, read anew at each question, so that a test can turn counters back."""

import sys
from pathlib import Path


def key(oid: str) -> tuple[int, ...]:
    return tuple(int(arc) for arc in oid.strip(".").split("."))


def rows(file: Path) -> dict[tuple[int, ...], tuple[str, str]]:
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    return {key(oid): (kind, value) for oid, kind, value in lines}


def main() -> None:
    file = Path(sys.argv[1])
    while line := sys.stdin.readline():
        word = line.strip()
        if word == "PING":
            print("PONG", flush=True)
            continue
        asked, table = key(sys.stdin.readline()), rows(file)
        found = asked if word == "get" else min((oid for oid in table if oid > asked), default=None)
        if found not in table:
            print("NONE", flush=True)
            continue
        kind, value = table[found]
        print("." + ".".join(map(str, found)), kind, value, sep="\n", flush=True)


if __name__ == "__main__":
    main()
