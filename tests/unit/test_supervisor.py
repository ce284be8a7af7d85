"""Child processes: kept running, stopped together, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded import supervisor
from streams.embedded.supervisor import ChildFailed, ChildSpec, Supervisor
from tests.support.waiting import until

SLEEPS = "import time; print('listening http://127.0.0.1:4711/', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
DIES = "import sys; print('the reason'); sys.exit(3)"


def python(name: str, code: str) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-c", code])


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_BACKOFF_SECONDS", 0.01)


async def test_a_child_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, print)
    child = await keeper.start(python("enrich", SLEEPS))
    await until(child.find_address)
    assert child.address == "http://127.0.0.1:4711"
    pid = child.pid
    assert pid is not None
    await keeper.stop()
    assert gone(pid)
    assert keeper.restarts == {}


async def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, print)
    child = await keeper.start(python("enrich", DEAF))
    await until(child.find_address)
    pid = child.pid
    assert pid is not None
    await keeper.stop(seconds=0.1)
    assert gone(pid)


async def test_a_child_that_was_killed_is_started_again_and_found_at_its_new_address(tmp_path: Path) -> None:
    said: list[str] = []
    keeper = Supervisor(tmp_path, said.append)
    child = await keeper.start(python("stitch", SLEEPS))
    await until(child.find_address)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (None, first))
    assert keeper.restarts == {"stitch": 1}
    assert said[0].startswith("stitch was ended by SIGKILL; starting it again in")
    assert child.address is None or child.pid != first
    await until(child.find_address)
    keeper.check()
    await keeper.stop()


async def test_a_child_that_keeps_dying_fails_with_the_end_of_its_log(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, lambda text: None, max_restarts=2)
    await keeper.start(python("sink", DIES))
    with pytest.raises(ChildFailed, match="sink ended with status 3, 3 times in a row") as failure:
        await until(lambda: keeper.check())
    assert "the reason" in str(failure.value.hint)
    await keeper.stop()


def test_the_log_of_the_start_before_is_kept(tmp_path: Path) -> None:
    async def main(code: str) -> None:
        keeper = Supervisor(tmp_path, print)
        child = await keeper.start(python("sink", code))
        await until(child.find_address)
        await keeper.stop()

    asyncio.run(main(f"print('first', flush=True); {SLEEPS}"))
    asyncio.run(main(f"print('second', flush=True); {SLEEPS}"))
    assert (tmp_path / "sink.log").read_text().startswith("second")
    assert (tmp_path / "sink.log.1").read_text().startswith("first")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, sys
from pathlib import Path
from streams.embedded.supervisor import ChildSpec, Supervisor
async def main():
    child = await Supervisor(Path({str(tmp_path)!r}), print).start(ChildSpec("x", [sys.executable, "-c", {SLEEPS!r}]))
    while not child.find_address():
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout)
    asyncio.run(until(lambda: gone(pid)))


AWAITS = (
    f"import json, os, sys; os.environ.update(json.loads(sys.stdin.readline())); print(os.environ['WORD']); {SLEEPS}"
)


def awaiting(environment: dict[str, str]) -> ChildSpec:
    return ChildSpec("enrich", [sys.executable, "-c", AWAITS], environment, awaits=True)


async def test_a_prepared_child_runs_before_its_environment_is_known(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, print)
    await keeper.prepare(awaiting({}))
    early = keeper._prepared["enrich"].pid
    child = await keeper.start(awaiting({"WORD": "a word of later"}))
    assert child.pid == early is not None
    await until(child.find_address)
    assert child.log.read_text().startswith("a word of later")
    assert b"a word of later" not in Path(f"/proc/{early}/environ").read_bytes()

    os.kill(early, signal.SIGKILL)  # the next one gets the same environment
    await until(lambda: child.pid not in (None, early))
    await until(child.find_address)
    assert child.log.read_text().count("a word of later") == 2
    await keeper.stop()


async def test_prepared_children_that_were_never_started_are_stopped(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, print)
    await keeper.prepare(awaiting({}))
    pid = keeper._prepared["enrich"].pid
    assert pid is not None
    await keeper.stop()
    assert gone(pid)


async def test_a_prepared_child_that_died_before_is_started_anew(tmp_path: Path) -> None:
    keeper = Supervisor(tmp_path, print)
    await keeper.prepare(awaiting({}))
    early = keeper._prepared["enrich"].pid
    assert early is not None
    os.kill(early, signal.SIGKILL)
    await until(lambda: keeper._prepared["enrich"].pid is None)
    child = await keeper.start(awaiting({"WORD": "anew"}))
    await until(child.find_address)
    assert "anew" in child.log.read_text()
    await keeper.stop()
