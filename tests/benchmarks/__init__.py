"""What Rihla costs: `make bench`, or `python -m tests.benchmarks --help`. docs/performance.md says how to read it."""

import os

# As in a worker (streams.cli.worker). Polars reads it when it is imported, which is after this.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
