"""`rihla worker` with the hooks of the fault suite: python -m tests.faults.worker KIND [OPTION...]."""

from __future__ import annotations

import os
import sys

from tests.faults import broken, clock, failpoints

if __name__ == "__main__":
    clock.bend(os.environ)
    failpoints.arm(os.environ)
    broken.break_(os.environ)
    from streams.cli.main import main

    sys.argv = ["rihla", "worker", *sys.argv[1:]]
    sys.exit(main())
