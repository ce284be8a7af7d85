"""Who owns a data folder, and what of it is left when the owner dies."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from streams.embedded import datadir
from streams.embedded.datadir import DataDirectory, DataInUse, History
from streams.errors import RihlaError
from tests.support.waiting import HUNG

OWNS = """
import sys
from streams.embedded.datadir import DataDirectory
directory = DataDirectory(sys.argv[1])
with directory.own("up"):
    directory.publish(clickhouse="http://127.0.0.1:1", workers={"enrich": "http://127.0.0.1:2"})
    print("owned", flush=True)
    sys.stdin.read()
"""


def start_owner(path: Path) -> subprocess.Popen[bytes]:
    owner = subprocess.Popen([sys.executable, "-c", OWNS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"owned\n"
    return owner


def test_another_process_finds_the_owner_and_cannot_own_too(tmp_path: Path) -> None:
    process = start_owner(tmp_path)
    directory = DataDirectory(tmp_path)
    try:
        owner = directory.owner()
        assert owner is not None
        assert (owner.pid, owner.command, owner.clickhouse) == (process.pid, "up", "http://127.0.0.1:1")
        assert owner.workers == {"enrich": "http://127.0.0.1:2"}
        with pytest.raises(DataInUse, match=rf"in use by `rihla up` \(process {process.pid}\)"), directory.own("run"):
            pass
    finally:
        process.communicate(b"")
    assert directory.owner() is None


def test_a_look_from_elsewhere_that_takes_long_is_no_owner(tmp_path: Path) -> None:
    """On a busy machine a process may be put aside between taking the lock to look and giving it back."""
    with DataDirectory(tmp_path).own("up"):
        pass
    looking = os.open(tmp_path / "owner", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    with ThreadPoolExecutor(1) as thread:
        owning = thread.submit(_own_and_end, tmp_path)
        assert not wait([owning], timeout=1.5 * datadir.OWNED_SECONDS).done
        os.close(looking)
        assert owning.result(HUNG)


def _own_and_end(path: Path) -> bool:
    with DataDirectory(path).own("run"):
        return True


def test_an_owner_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    process = start_owner(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    directory = DataDirectory(tmp_path)
    assert directory.owner() is None
    with directory.own("run"):
        pass


def test_a_shorter_announcement_replaces_a_longer_one(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    with directory.own("up"):
        directory.publish(clickhouse="http://a-very-long-name.example:8123", workers={"sink": "http://x:1"})
        directory.publish()
        owner = DataDirectory(tmp_path).owner()
        assert owner is not None
        assert (owner.pid, owner.clickhouse, owner.workers) == (os.getpid(), None, {})


def test_a_folder_that_is_not_there_is_not_made_where_that_would_hide_a_typing_error(tmp_path: Path) -> None:
    missing = DataDirectory(tmp_path / "nowhere")
    assert missing.owner() is None
    with pytest.raises(RihlaError, match="there is no pipeline in"), missing.own("query", create=False):
        pass
    assert not missing.path.exists()


def test_history_is_remembered(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.history() is None
    directory.remember(History("tansu", 3))
    assert directory.history() == History("tansu", 3)
    (tmp_path / "history.json").write_text("{")
    with pytest.raises(RihlaError, match="damaged"):
        directory.history()


def test_a_folder_is_its_owners_alone_also_one_that_was_open(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        new, old = DataDirectory(tmp_path / "new"), DataDirectory(tmp_path / "old")
        for folder in (old.path, old.path / "logs", old.path / "clickhouse"):
            folder.mkdir(mode=0o755)
        for directory in (new, old):
            with directory.own("up"):
                (directory.path / "made").mkdir()
            modes = {path.name: path.stat().st_mode & 0o077 for path in (directory.path, *directory.path.iterdir())}
            assert not any(modes.values()), modes
        assert (new.tightened, old.tightened) == (False, True)
    finally:
        os.umask(before)


def test_another_users_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    before = os.umask(0o077)
    os.umask(before)
    with pytest.raises(RihlaError, match="belongs to another user"), DataDirectory(tmp_path).own("up"):
        pass
    os.umask(before)
    assert not (tmp_path / "owner").exists()
