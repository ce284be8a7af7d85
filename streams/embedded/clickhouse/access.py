"""Who may do what in the embedded engine: users with a token each, and the engine's own roles behind them.

A user of the HTTP interface is a name and a token. What the user may do is held in three places, each by itself:

1. The engine. chDB has one login, `default`, which has no right of its own but only roles; a statement that came over
   HTTP runs after `SET ROLE`, with the grants of its user's role alone. No role has a grant on a source (FILE, URL,
   REMOTE, S3 ...), so ClickHouse itself refuses `file()`, `url()` and their kin wherever they stand.
2. streams.embedded.clickhouse.statement_rules. What grants do not hold in chDB (INTO OUTFILE and INFILE, which its
client part carries out;
   scalar file(); engines and dictionaries with a source; settings that name files) is refused by what ClickHouse's
   own parser says that a statement holds.
3. The limits below, which neither URL nor SETTINGS clause can widen.

Besides reader and owner there are the roles of sinks.clickhouse.roles, with the same grants as on a server, and one for
each manager of units.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sinks.clickhouse import roles
from sinks.clickhouse.roles import Manager

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Role:
    """What a user may do. The engine knows it by its name."""

    name: str
    grants: tuple[str, ...]
    writes: bool
    """Whether its statements may change tables; else they run with ClickHouse's readonly, and POST is as GET."""
    body_limit: int
    """Bytes of the largest body, decompressed, too."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """Settings of each statement, and the most that it may ask for."""


READER = Role(
    "reader",
    ("SELECT, SHOW DATABASES, SHOW TABLES, SHOW COLUMNS ON *.*",),
    writes=False,
    body_limit=16 * MEGABYTE,
    limits={
        "max_execution_time": "300",
        "max_memory_usage": str(1000 * MEGABYTE),
        "max_result_rows": "20000000",
        "max_result_bytes": str(2048 * MEGABYTE),
        "max_threads": "2",
    },
)
"""Asks, and can do nothing else: the default of everybody."""

OWNER = Role(
    "owner",
    (
        "SELECT, INSERT, ALTER, TRUNCATE, OPTIMIZE, CHECK, SHOW, KILL QUERY ON *.*",
        "CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP DATABASE, DROP TABLE, DROP VIEW ON *.*",
    ),
    writes=True,
    body_limit=1 << 30,
)
"""Writes tables: Rihla's own workers, and who runs them. Files and network are not in reach over HTTP for it either."""

DATABASE = "cx"
"""The database that the roles below are about, unless another is named."""


def roles_of(database: str = DATABASE, managers: Sequence[Manager] = ()) -> Mapping[str, Role]:
    """Every role of an engine, by name."""
    found = [READER, OWNER]
    for name in roles.ROLES:
        granted = roles.grants(name, database)
        if name == roles.PIPELINE:
            found.append(Role(name, granted, writes=True, body_limit=OWNER.body_limit))
        else:
            found.append(Role(name, granted, writes=False, body_limit=READER.body_limit, limits=READER.limits))
    found += [
        Role(manager.role, roles.grants_of_manager(manager, database), False, READER.body_limit, READER.limits)
        for manager in managers
    ]
    return {role.name: role for role in found}


ROLES: Mapping[str, Role] = roles_of()


class Tokens:
    """The users of one HTTP interface: name of a role: its token."""

    def __init__(self, tokens: Mapping[str, str], known: Mapping[str, Role] = ROLES) -> None:
        """Raises ValueError for a name that is no role, or a token that is too short to be a secret."""
        self._roles = known
        for name, token in tokens.items():
            if name not in known or len(token) < 16:
                raise ValueError(f"{name}: not the name of a role with a token of 16 characters or more")
        self._tokens = {name: token.encode() for name, token in tokens.items()}

    def role(self, user: str, password: str) -> Role | None:
        """The role of who says this, or None; takes as long for a wrong name as for a wrong token."""
        known = self._tokens.get(user)
        right = hmac.compare_digest(known or b"-" * 43, password.encode(errors="replace"))
        return self._roles[user] if right and known is not None else None


def users_configuration(database: str = DATABASE, managers: Sequence[Manager] = ()) -> bytes:
    """ClickHouse's users.xml: `default` with all roles and no right of its own. `everything` is the engine's owner's:
    of calls in this process, which never come over HTTP."""
    known = roles_of(database, managers)
    granted = {"everything": ("ALL ON *.*",), **{role.name: role.grants for role in known.values()}}
    queries = {name: [f"GRANT {grant}" for grant in grants] for name, grants in granted.items()}
    queries[READER.name].append(f"REVOKE SELECT ON {database}.{roles.KEY}")  # the only table of which nobody is told
    listed = "".join(
        f"<{name}><grants>{''.join(f'<query>{query}</query>' for query in some)}</grants></{name}>"
        for name, some in queries.items()
    )
    return (
        "<clickhouse><profiles><default></default></profiles><quotas><default></default></quotas>"
        f"<roles>{listed}</roles>"
        "<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>"
        f"<quota>default</quota><grants><query>GRANT {', '.join(granted)}</query></grants></default></users>"
        "</clickhouse>"
    ).encode()
