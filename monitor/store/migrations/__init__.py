"""How the schema came to be: one file a version, each brought in whole or not at all."""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from monitor.store.making import settle
from monitor.store.schema import VERSION

HERE = Path(__file__).parent


def load(where: Path = HERE) -> ScriptDirectory:
    """Read and compile the migrations. Blocking: call it in a thread."""
    scripts = ScriptDirectory(str(where), version_locations=[str(where / "versions")])
    scripts.get_current_head()
    return scripts


def upgrade(connection: Connection, scripts: ScriptDirectory, version: int = VERSION) -> None:
    """Bring the database to the newest schema, in the transaction that is already open: whoever looks sees the old one or the new one."""
    context = MigrationContext.configure(
        connection,
        opts={"fn": lambda revision, _context: scripts._upgrade_revs("head", revision), "as_sql": False},
    )
    with Operations.context(context):
        context.run_migrations()
    settle(connection, version)
