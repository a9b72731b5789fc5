"""`python -m tests.bench [--only NAME …] [--write]`: every promise of speed, measured beside its rivals in one run.

A scene is a module in this folder with a `SCENE`; adding one is adding a file.
"""

import argparse
import importlib
import os
import pkgutil
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests import bench
from tests.bench.scene import Figure, Missing, Scene

RESULTS = Path(__file__).with_name("RESULTS.md")

REMARKS = "## Where it is missed, and where the time goes\n"


def scenes() -> list[Scene]:
    """Every scene of this folder, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"tests.bench.{name}") for name in names]
    return [module.SCENE for module in modules if hasattr(module, "SCENE")]


def processor() -> str:
    """The machine's processor, as the kernel names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def written(value: float) -> str:
    """Four figures are enough of any measurement."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def row(figure: Figure | Missing) -> tuple[str, str, str, str]:
    """Name, value, target, verdict."""
    if isinstance(figure, Missing):
        return figure.name, "not run", "", figure.why
    value = f"{written(figure.value)} {figure.unit}".strip()
    if figure.target is None:
        return figure.name, value, "", figure.note
    sign = "≥" if figure.want == "least" else "≤"
    verdict = "met" if figure.met else "MISSED"
    return figure.name, value, f"{sign} {written(figure.target)}", f"{verdict} {figure.note}".strip()


def table(figures: list[Figure | Missing]) -> str:
    """A table in Markdown, columns aligned."""
    rows = [("figure", "value", "promised", ""), *map(row, figures)]
    widths = [max(len(line[column]) for line in rows) for column in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    known = scenes()
    parser.add_argument("--only", action="append", choices=[scene.name for scene in known], help="this scene alone")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} beside the scenes")
    chosen = parser.parse_args()
    machine = f"{os.cpu_count()} cores ({processor()}), Python {platform.python_version()}"
    print(machine, flush=True)
    promised: list[Figure | Missing] = []
    others: list[Figure | Missing] = []
    for scene in known:
        if chosen.only and scene.name not in chosen.only:
            continue
        start = time.monotonic()
        try:
            figures = list(scene.play())
        except (LookupError, RuntimeError) as error:
            figures = [Missing(name=scene.title, why=" ".join(str(error).split())[:200])]
        print(f"\n{scene.title} ({scene.name}, {time.monotonic() - start:.0f} s)\n{table(figures)}", flush=True)
        for figure in figures:
            first = isinstance(figure, Missing) or figure.target is not None
            (promised if first else others).append(figure)
        if chosen.write:
            write(machine, promised, others)  # After every scene: what was measured is kept if the run is cut short.
    missed = [figure for figure in promised if isinstance(figure, Missing) or not figure.met]
    print(f"\n{len(promised) - len(missed)} of {len(promised)} promises met")
    return 1 if missed else 0


def write(machine: str, promised: list[Figure | Missing], others: list[Figure | Missing]) -> None:
    """Write the figures; what a person wrote below them (REMARKS) stays."""
    remarks = RESULTS.read_text(encoding="utf-8").partition(REMARKS)[2] if RESULTS.exists() else ""
    RESULTS.write_text(
        f"# Measured\n\n`python -m tests.bench --write`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {machine}.\n"
        "Rivals and ours alternate in one run, medians; servers on one core, the measured prober on another.\n\n"
        f"## Promises\n\n{table(promised)}\n\n## Behind them\n\n{table(others)}\n"
        + (f"\n{REMARKS}{remarks}" if remarks else ""),
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
