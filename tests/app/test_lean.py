"""What a daemon keeps in memory for life is what it uses."""

import subprocess
import sys

SCRIPT = """
import sys
from monitor.cli.daemon import lean
with lean():
    import monitor.app.application
kept = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
assert not kept & {"rich", "pygments", "alembic", "lxml", "playwright", "holidays"}, kept
import rich  # Whoever wants it afterwards has it.
"""


def test_what_is_only_for_a_terminal_or_for_rare_occasions_is_not_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
