"""How the schema came to be: one file a version, each brought in whole or not at all."""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from monitor.store.schema import APPLICATION_ID, VERSION

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
    connection.execute(
        text(
            "INSERT INTO meta (key, value) VALUES ('schema', :version) ON CONFLICT (key) DO UPDATE SET value = :version"
        ),
        {"version": str(version)},
    )
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version={version}")
