"""Reaches the database of a data folder: over HTTP while a pipeline owns the folder, else by opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.clickhouse.access import DATABASE, Role
from streams.embedded.datadir import DataDirectory, Owner
from streams.embedded.keys import url_for
from streams.errors import RihlaError


@contextmanager
def database_url(directory: DataDirectory, command: str, role: Role, database: str = DATABASE) -> Iterator[str]:
    """The URL where the folder's database answers while the block runs, for sinks.clickhouse.client.connect.

    command: this process's name in the messages of others that want the folder meanwhile. role: the user that asks.
    database: that of the roles, where this process opens the folder.
    Raises RihlaError when there is no such folder, or its owner is still starting; DataInUse when it is just taken.
    """
    directory.refuse_foreign()
    owner = directory.owner()
    if owner is not None:
        yield url_for(_url(directory, owner), directory.keys, role.name)
        return
    if not directory.clickhouse.is_dir():
        raise RihlaError(
            f"there is no database in {directory.path}",
            "make one with `rihla run FILE --data DIR`, or name another with --data, or a server with --clickhouse URL",
        )
    from streams.embedded.clickhouse.database import Database

    with (
        directory.own(command, create=False),
        Database(directory.clickhouse, directory.keys, database=database) as opened,
    ):
        yield url_for(opened.url, directory.keys, role.name)


def running(directory: DataDirectory) -> Owner:
    """The process that runs a pipeline on the folder. Raises RihlaError when there is none."""
    owner = directory.owner()
    if owner is None:
        raise RihlaError(f"no pipeline runs on {directory.path}", "start one with `rihla up --data DIR`")
    _url(directory, owner)
    return owner


def _url(directory: DataDirectory, owner: Owner) -> str:
    if owner.clickhouse is None:
        raise RihlaError(
            f"{directory.path} is in use by `rihla {owner.command}` (process {owner.pid}), which does not answer yet",
            "try again in a moment",
        )
    return owner.clickhouse
