"""`python -m streams.cli`: the command line, for processes that start others of their own version."""

from __future__ import annotations

import sys

from streams.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
