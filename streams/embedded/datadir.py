"""The folder of one embedded pipeline: its owner, the owner's addresses, and the broker and epoch of its history.

DIR/clickhouse/   the database          DIR/logs/     a log of each child process
DIR/kafka/        Kafka's own log       DIR/owner     locked by the process that runs on DIR, and its addresses
DIR/history.json  broker and epoch of the last start
DIR/keys/         the tokens of the database's users

The folder holds personal data and tokens, so it and everything in it are accessible to its owner alone (0700).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from streams.errors import RihlaError

OWNED_SECONDS = 1.0
LOOKED_AT_SECONDS = 60.0


class DataInUse(RihlaError):
    """Another process owns the folder; the message names it."""


@dataclass(frozen=True)
class Owner:
    """The process that runs on a folder: its id, what it is, and where it answers (None or empty while it starts)."""

    pid: int
    command: str
    clickhouse: str | None = None
    brokers: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    """RIHLA_* variables with which other commands (produce, doctor) reach the same pipeline."""
    workers: Mapping[str, str] = field(default_factory=dict)
    """Name of each worker: address of its metrics page."""


@dataclass(frozen=True)
class History:
    """The broker ("tansu", "kafka" or its address) and the epoch through which the database was last written."""

    broker: str
    epoch: int
    restored: bool = True
    """False while the broker's topics are being filled with what the database holds."""


class DataDirectory:
    """One folder. `with directory.own("up"):` makes this process its owner; `owner()` asks who is."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.tightened = False
        """Whether others could enter the folder until this process owned it."""
        self._lock: int | None = None
        self._command = ""

    @property
    def clickhouse(self) -> Path:
        """Folder of the database engine."""
        return self.path.resolve() / "clickhouse"

    @property
    def kafka(self) -> Path:
        """Folder of the managed Apache Kafka."""
        return self.path.resolve() / "kafka"

    @property
    def logs(self) -> Path:
        """Folder of the child processes' logs."""
        return self.path.resolve() / "logs"

    @property
    def keys(self) -> Path:
        """Folder of the tokens of the database's users."""
        return self.path.resolve() / "keys"

    @contextlib.contextmanager
    def own(self, command: str, *, create: bool = True) -> Iterator[DataDirectory]:
        """Own the folder while the block runs. Raises DataInUse if another process does; RihlaError if it is missing
        and not to be created, or another user's.

        Files that this process and its children make from then on are readable by this user alone (umask 077).
        """
        if not create and not self.path.is_dir():
            raise RihlaError(
                f"there is no pipeline in {self.path}",
                "make one with: rihla run FILE --data DIR, or rihla up --data DIR",
            )
        self._close_to_others()
        lock = os.open(self.path / "owner", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._acquire(lock)
            self._lock, self._command = lock, command
            self.publish()
            try:
                yield self
            finally:
                os.ftruncate(lock, 0)
                self._lock = None
        finally:
            os.close(lock)

    def refuse_foreign(self) -> None:
        """Raise RihlaError when the folder is another user's: what is in it is not to be trusted, nor to be changed."""
        try:
            uid = self.path.stat().st_uid
        except FileNotFoundError:
            return
        if uid != os.geteuid():
            raise RihlaError(
                f"{self.path} belongs to another user (id {uid})",
                "name a folder of your own with --data, or give this one over: chown -R",
            )

    def _close_to_others(self) -> None:
        """Make the folder and close it to other users, even if an earlier version left it open."""
        os.umask(0o077)
        self.refuse_foreign()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (self.path, self.clickhouse, self.kafka, self.logs, self.keys, self.path / "owner"):
            with contextlib.suppress(FileNotFoundError):
                mode = path.stat().st_mode & 0o777
                if mode & 0o077:
                    path.chmod(mode & 0o700)
                    self.tightened |= path == self.path

    def _acquire(self, lock: int) -> None:
        # `owner()` elsewhere holds the lock for a moment, to see whether it is free: then nobody is named as the owner,
        # or somebody who was killed, and there is time for that process to get on.
        began = time.monotonic()
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = self._read(lock)
                if time.monotonic() - began > (OWNED_SECONDS if _lives(owner.pid) else LOOKED_AT_SECONDS):
                    raise DataInUse(
                        f"{self.path} is in use by `rihla {owner.command}` (process {owner.pid})",
                        "one process at a time owns a data folder: stop that one, or name another with --data",
                    ) from None
                time.sleep(0.05)

    def publish(
        self,
        *,
        clickhouse: str | None = None,
        brokers: str | None = None,
        settings: Mapping[str, str] | None = None,
        workers: Mapping[str, str] | None = None,
    ) -> None:
        """Write where the owner (this process) answers, for `owner()` elsewhere."""
        assert self._lock is not None, "only the owner publishes"
        owner = Owner(os.getpid(), self._command, clickhouse, brokers, settings or {}, workers or {})
        text = json.dumps(asdict(owner), indent=2).encode()
        os.pwrite(self._lock, text, 0)
        os.ftruncate(self._lock, len(text))

    def owner(self) -> Owner | None:
        """Who owns the folder now, or None. The kernel drops a dead owner's lock: nothing stale is taken for real."""
        try:
            lock = os.open(self.path / "owner", os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read(lock)
        else:
            return None
        finally:
            os.close(lock)

    @staticmethod
    def _read(lock: int) -> Owner:
        try:
            return Owner(**json.loads(os.pread(lock, 1 << 20, 0)))
        except (ValueError, TypeError):
            return Owner(0, "(starting)")  # locked a moment ago, nothing written yet

    def history(self) -> History | None:
        """What the last start wrote through; None in a new folder."""
        try:
            return History(**json.loads((self.path / "history.json").read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise RihlaError(f"{self.path / 'history.json'} is damaged: {error}") from error

    def remember(self, history: History) -> None:
        """Record what is written through from now on, before anything is; replaced atomically."""
        temporary = self.path / "history.json.new"
        temporary.write_text(json.dumps(asdict(history)))
        temporary.replace(self.path / "history.json")


def _lives(pid: int) -> bool:
    """Whether a process of this id runs, whatever its user; 0 is no process."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
