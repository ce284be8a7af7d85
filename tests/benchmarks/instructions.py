"""Instructions that the stages of stitch take, an event: counted, so the same on a busy machine as on a quiet one.

    python -m tests.benchmarks.instructions [EVENTS]

Callgrind (Debian's package valgrind) counts them while events are made and folded, with the inputs that the benchmark
`stages` gives them, in a process of their own. What caches and memory add is not in them: times decide, these tell
where the work is (`--keep FILE` and callgrind_annotate). In the checkout of another version: `python FILE`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

EVENTS = 30_000
STAGES = ("stitch events", "stitch fold")


def main() -> None:
    """Count, and print a line a stage; exits with a sentence where there is no valgrind."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions", description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=EVENTS)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the profiles: FILE.1 and FILE.2")
    parser.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.counted:
        counted(options.events)
        return
    if shutil.which("valgrind") is None:
        sys.exit("there is no valgrind here: it is a package of that name")
    with tempfile.TemporaryDirectory() as folder:
        kept = options.keep or Path(folder, "callgrind")
        found = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={kept}", sys.executable]
        # The order of sets of strings, and with it the work, would differ from run to run.
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.getcwd()}
        done = subprocess.run(
            [*found, __file__, str(options.events), "--counted"], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        for number, stage in enumerate(STAGES, 1):
            total = re.search(r"^(?:totals|summary): (\d+)", Path(f"{kept}.{number}").read_text(), re.MULTILINE)
            assert total is not None
            print(f"{stage}: {int(total[1]) / options.events:,.0f} instructions an event")


def counted(events: int) -> None:
    """Gather the inputs, then run each stage once while valgrind counts."""
    from streams.stitch.events import Events
    from streams.stitch.fold import fold_messages
    from tests.benchmarks import stages
    from tests.benchmarks.sample import batches

    made: list[tuple[Any, ...]] = []
    folded: list[tuple[Any, ...]] = []
    by_subject = Events().by_subject

    class Recorded:
        """Events, whose inputs are noted."""

        def by_subject(self, *inputs: Any) -> Any:
            made.append(inputs)
            return by_subject(*inputs)

    def noted(load: Callable[[bytes], bytes | None], *inputs: Any) -> Any:
        folded.append(inputs)
        return fold_messages(load, *inputs)

    with mock.patch.object(stages, "Events", Recorded), mock.patch.object(stages, "fold_messages", noted):
        stages.one_round(batches(events))

    def fold() -> None:
        states: dict[bytes, bytes] = {}
        for inputs in folded:
            states.update(fold_messages(states.get, *inputs).states)

    def make() -> None:
        for inputs in made:
            by_subject(*inputs)

    for stage in (make, fold):
        stage()  # what is made once is made now
        _control("--instr=on")
        stage()
        _control("--dump")
        _control("--instr=off")


def _control(what: str) -> None:
    subprocess.run(["callgrind_control", what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
