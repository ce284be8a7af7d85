"""A worker says at its start which RIHLA_ variables count for nothing."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_misspelt_variable_is_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "worker", "enrich", "--brokers", "127.0.0.1:1", "--metrics-port", "0"],
        env={**os.environ, "RIHLA_PREFIXX": "other"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "WARNING streams.worker.process: RIHLA_PREFIXX is no setting of Rihla" in done.stderr
    assert "is RIHLA_PREFIX meant?" in done.stderr
