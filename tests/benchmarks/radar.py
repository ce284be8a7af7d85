"""How often the pilgrim radar names the right culprit, and how often an innocent, on simulated caravans.

python -m tests.benchmarks.radar --caravans 240 --seed 7
"""

from __future__ import annotations

import argparse
import time

from streams.sources.simulate.options import Options
from tests.support.caravans import judge


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--caravans", type=int, default=240)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--alone", action="store_true", help="Judge each caravan without the others.")
    asked = parser.parse_args()
    began = time.process_time()
    if asked.alone:
        some = [judge(Options(caravans=1, seed=asked.seed + n)) for n in range(asked.caravans)]
    else:
        some = [judge(Options(caravans=asked.caravans, seed=asked.seed))]
    caravans, guilty, right, false = (
        sum(getattr(one, name) for one in some) for name in ("caravans", "guilty", "right", "false")
    )
    print(f"{caravans} caravans, {guilty} with a culprit; {time.process_time() - began:.0f} s of CPU")
    print(f"right culprit  {right} of {guilty}  {right / guilty:.1%}")
    print(f"false alarm    {false} of {caravans}  {false / caravans:.1%}")


if __name__ == "__main__":
    main()
