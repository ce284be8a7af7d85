"""The results as a picture: CPU an event of the stitch worker and its peers, and of each stage against its limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import stages, stitch


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """Draw what was measured into a PNG file. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure  # of the bench environment alone

    rivals: dict[str, float] = figures.get("stitch_cpu_us_per_event", {})
    costs: dict[str, float] = figures.get("stages_cpu_us_per_event", {})
    picture = Figure(figsize=(10, 8), layout="constrained")
    above, below = picture.subplots(2, 1)
    names = [stitch.WORKERS[name].title for name in rivals]
    bars = above.barh(
        names, list(rivals.values()), color=["tab:green" if name == stitch.OURS else "tab:grey" for name in rivals]
    )
    above.bar_label(bars, fmt="%.0f")
    above.invert_yaxis()
    above.set_title("the same job: CPU microseconds an event (less is better)")
    bars = below.barh(list(costs), list(costs.values()), color="tab:green")
    below.bar_label(bars, fmt="%.1f")
    below.scatter(
        [stages.LIMITS[name] * figures.get("stages_times_slower", 1.0) for name in costs],
        list(costs),
        marker="|",
        s=200,
        color="tab:red",
        label="limit",
    )
    below.invert_yaxis()
    below.legend()
    below.set_title("stages of an event: CPU microseconds an event, and limits")
    picture.savefig(file, dpi=100)
