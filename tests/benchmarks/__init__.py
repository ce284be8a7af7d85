"""What Rihla costs: `make bench`, or `python -m tests.benchmarks --help`. docs/performance.md says how to read it."""
