"""Giving the history of a node to the id that it has now (`was:` in the configuration).

Owns: every column that holds a node's or a check's id. What messages and events said at the time stays as it was said.
"""

from collections.abc import Mapping

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import schema
from monitor.store.statements import Change, Rows, Statements


async def renames(connection: AsyncConnection, sql: Statements, nodes: Mapping[str, str]) -> list[Change]:
    """The changes for `former: present`; none for ids that have no history, or whose new id has one of its own as a node."""
    checks = (await connection.execute(select(schema.checks.c.check))).scalars().all()
    taken = set(checks) | set((await connection.execute(select(schema.nodes.c.node))).scalars())
    known = {check.partition("/")[0] for check in checks} | taken
    pairs: dict[str, str] = {}
    for former, present in nodes.items():
        if former not in known or former == present or present in taken:
            continue
        pairs[former] = present
        for check in checks:
            node, slash, name = check.partition("/")
            if node == former and f"{present}/{name}" not in taken:
                pairs[check] = present + slash + name
    rows: Rows = [(present, former) for former, present in pairs.items()]
    places = (
        (schema.checks, schema.checks.c.check),
        (schema.nodes, schema.nodes.c.node),
        (schema.transitions, schema.transitions.c.subject),
        (schema.incidents, schema.incidents.c.node),
        (schema.habits, schema.habits.c.check),
        (schema.heartbeats, schema.heartbeats.c.check),
        (schema.link_samples, schema.link_samples.c.check),
        (schema.link_days, schema.link_days.c.check),
    )
    changes: list[Change] = []
    for table, column in places:
        statement = table.update().where(column == bindparam("former")).values({column: bindparam("present")})
        changes.append((sql.compile(statement, "present", "former"), rows))
    return changes if rows else []
