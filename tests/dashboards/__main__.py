"""Draws the dashboards of deploy/grafana as pictures, without Grafana, which cannot be had everywhere.

    python -m tests.dashboards --out FOLDER      its own embedded pipeline, under load for minutes, and Prometheus
    python -m tests.dashboards --out FOLDER --data DIR --prometheus URL      those that run already

Every panel's own query is asked of a real Prometheus, or of the real ClickHouse engine; places, titles, units, legends
and thresholds are those of the JSON. Grafana would draw it otherwise in detail. Prints what a look would find wrong:
panels that are empty, stats of several values, lines of the same name. Needs Chromium and Prometheus (Debian's).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sinks.clickhouse.client import connect
from streams.embedded.datadir import DataDirectory
from tests.dashboards import live
from tests.dashboards.asking import ask_clickhouse, ask_prometheus
from tests.dashboards.drawing import COLUMN, GAP, Shown, page
from tests.dashboards.reading import NAMES, Panel, panels, read
from tests.support.desk import chromium


def problems(panel: Panel, found: Shown) -> list[str]:
    """What a look at a panel would find wrong."""
    if found.error:
        return [found.error]
    if found.is_empty:
        return ["no data"]
    said = []
    if panel.type == "stat" and (len(found.series) > 1 or len(found.rows) > 1):
        said.append(f"a stat of {max(len(found.series), len(found.rows))} values")
    said += [
        f"{count} lines are called {name!r}"
        for name, count in Counter(s.name for s in found.series).items()
        if count > 1
    ]
    if len(found.series) > 30:
        said.append(f"{len(found.series)} lines")
    return said


def look(name: str, data: Path, prometheus: str, minutes: float) -> tuple[str, list[str]]:
    """The page of a dashboard, and what is wrong with it."""
    dashboard, end = read(name), time.time()
    of_prometheus = dashboard["templating"]["list"][0]["query"] == "prometheus"
    begin = end - (minutes * 60 if of_prometheus else live.DAYS * 86_400)
    owner = DataDirectory(data).owner()
    if owner is None or owner.clickhouse is None:
        raise SystemExit(f"no pipeline runs on {data}")
    token = (data / "keys/reader").read_text().strip()
    client = connect(owner.clickhouse.replace("://", f"://reader:{token}@"), "cx")
    variables = {one["name"]: one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"}
    units = [str(row[0]) for row in client.query(variables["unit"]).result_rows] if variables else []
    shown, wrong = [], []
    for panel in panels(dashboard):
        found = Shown()
        if panel.type != "row":
            try:
                found = (
                    ask_prometheus(prometheus, panel, begin, end, live.SCRAPE)
                    if of_prometheus
                    else ask_clickhouse(client, panel, begin, end, units)
                )
            except Exception as error:  # as Grafana: the panel says so, and the others are drawn
                found = Shown(error=f"{type(error).__name__}: {error}"[:200])
            wrong += [f"{name}: {panel.title}: {one}" for one in problems(panel, found)]
        shown.append((panel, found))
    return page(dashboard, shown, begin, end), wrong


async def photograph(pages: dict[str, str], out: Path) -> None:
    """Write each page, a picture of the whole of it, and a small one of its beginning, as docs/ has it."""
    async with chromium() as browser:
        whole = await browser.new_page(viewport={"width": 24 * COLUMN + GAP, "height": 900})
        small = await browser.new_page(viewport={"width": 24 * COLUMN + GAP, "height": 1060}, device_scale_factor=0.65)
        for name, html in pages.items():
            (out / f"{name}.html").write_text(html, encoding="utf-8")
            await whole.set_content(html)
            await whole.screenshot(path=out / f"{name}.png", full_page=True)
            await small.set_content(html)
            await small.screenshot(path=out / f"{name}-small.png")


@contextlib.contextmanager
def running(out: Path, data: Path | None, prometheus: str | None, minutes: float) -> Iterator[tuple[Path, str]]:
    """The folder of a pipeline and the address of a Prometheus: those that run, or new ones after minutes of load."""
    if data is not None and prometheus is not None:
        yield data, prometheus
        return
    with live.pipeline(out / "live") as (folder, address):
        time.sleep(60 * minutes)
        yield folder, address


def main() -> int:
    """Draw, print, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of a pipeline that runs")
    parser.add_argument("--prometheus", help="address of a Prometheus that scrapes it")
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="time shown of the pipeline's dashboard, and of load"
    )
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with running(asked.out, asked.data, asked.prometheus, asked.minutes) as (data, prometheus):
        looked = {name: look(name, data, prometheus, asked.minutes) for name in NAMES}
    asyncio.run(photograph({name: html for name, (html, _) in looked.items()}, asked.out))
    wrong = [one for _, some in looked.values() for one in some]
    print("\n".join([*wrong, f"{len(wrong)} things to look at; pictures in {asked.out}"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
