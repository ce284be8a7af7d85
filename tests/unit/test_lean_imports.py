"""A process that left pandas out works with pyarrow, Polars and ClickHouse's client as one that has none installed."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from streams.lean_imports import without_collecting

LEFT_OUT = """
import importlib.util, sys
from streams.lean_imports import leave_out_pandas
leave_out_pandas()
leave_out_pandas()
import polars, pyarrow
assert pyarrow.array([1, None, 3]).to_pylist() == [1, None, 3]
assert pyarrow.scalar(b"x").as_py() == b"x"
assert polars.DataFrame({"a": [1, 2]}).to_arrow().num_rows == 2
from clickhouse_connect.driver.options import check_pandas
try:
    check_pandas()
except Exception as error:
    assert "pandas" in str(error).lower(), error
try:
    import pandas
except ModuleNotFoundError as error:
    print(error)
assert "pandas" not in sys.modules
"""
WORKER = """
import sys
from streams.lean_imports import leave_out_pandas
leave_out_pandas()
import streams.worker.process, streams.stitch.agent, sinks.agent, streams.collect.process, streams.sources.feeder
from streams.settings import Settings
from streams.tracing import tracing_of
assert tracing_of(Settings(), "enrich") is None
print(sorted({name.partition(".")[0] for name in sys.modules} & {"pandas", "chdb", "matplotlib", "opentelemetry"}))
"""


@pytest.mark.parametrize(("program", "says"), [(LEFT_OUT, "pandas is left out (streams.lean_imports)"), (WORKER, "[]")])
def test_what_a_worker_imports(program: str, says: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, says), done.stderr


def test_one_that_has_pandas_keeps_it() -> None:
    program = "import pandas, streams.lean_imports as l; l.leave_out_pandas(); import pandas; print(pandas.NA)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"<NA>\n"


def test_the_collector_rests_while_a_program_imports() -> None:
    before = gc.get_freeze_count()
    with without_collecting():
        assert not gc.isenabled()
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
