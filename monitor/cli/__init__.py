"""Words typed by a person. Each command imports what it needs when it runs, so that `--help` is quick.

Exit codes: 0 good · 1 the thing asked about is bad · 2 the configuration or the call is wrong · 3 we could not look · 75 already running.
"""

import typer

from monitor.cli import configuration, daemon, look, meetings, report

app = typer.Typer(
    name="thongsuot",
    help="Thông Suốt: watches a province's shared information systems and tells the people on duty.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for part in (daemon, configuration, look, meetings, report):
    part.register(app)


def main() -> None:
    """Run the command line."""
    app(prog_name="thongsuot")
