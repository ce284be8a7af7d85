"""The memory of a process and its descendants, as /proc tells it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streams.embedded import memory
from streams.embedded.memory import TreeMemory, tree_memory
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEGABYTES = 64
GRANDCHILD = f"data = bytearray(b'x' * ({MEGABYTES} << 20)); print('ready', flush=True); input()"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


def test_a_peak_in_a_grandchild_is_seen_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SAMPLE_SECONDS", 0.01)
    with TreeMemory() as tree:
        with subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            wait_until(lambda: tree.peak >= MEGABYTES << 20)
            child.communicate("\n")
        peak = tree.peak
    assert peak >= MEGABYTES << 20
    assert tree.peak >= peak
    assert any(bytes_ >= MEGABYTES << 20 for bytes_ in tree.at_peak.values())


def test_a_process_that_is_gone_has_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert tree_memory(ended.pid) == {}
