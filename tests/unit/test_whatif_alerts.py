"""The alerts that `rihla whatif` counts are those that stitch raises of the same events, by rule, unit and owner."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import polars as pl

from streams.model.brands import Brands
from streams.model.company import built_in
from streams.sources.simulate import Options, batches
from streams.verify.identity import who_is_who
from streams.verify.names import Names
from streams.verify.whatif import differences, fold
from tests.support.alert_worlds import HOUR, World
from tests.support.by_columns import Enricher

BRANDS = Brands({"saray": ("IST-*", "JED-*"), "noor": ("MAK-*", "MED-*")}, care={"noor": "CARE-NOOR", None: "CARE"})
TURN = 3 * 24 * HOUR
"""The worker hears what happened in such a time at once."""
NOW = 1_900_000_000_000  # later than anything simulated, epoch milliseconds


def test_alerts_by_rule_and_unit_are_those_that_stitch_raises() -> None:
    options = Options(customers=120, seed=11, duplicates=0, late=0, disorder=0, caravans=1)
    enricher = Enricher()
    pieces = [enricher.enrich({b.channel: b.frame}, NOW).interactions for b in batches(options)]
    log = pl.concat(pieces).unique(["subject", "event_id"], keep="first").sort("occurred_at", "event_id")
    model = replace(built_in(), brands=BRANDS)

    world = World(brands=BRANDS)
    for subject, (root, _) in who_is_who(Names(log, model.kinds).links(), model.kinds).items():
        world.tell(subject, root, 1)
    heard = log.filter(~pl.col("subject").str.starts_with("group:"))  # what happened to a group alerts nobody
    assert heard.height < log.height
    for (turn,), rows in heard.group_by(pl.col("occurred_at") // (TURN), maintain_order=True):
        assert isinstance(turn, int)
        world.now = (turn + 1) * TURN
        world.take(rows.to_dicts())
        world.deliver()
        while world.tick():
            pass
    world.now += 30 * 24 * HOUR
    while world.tick():
        pass

    raised = [one for one in world.alerts.values() if one["rule"] != "sentiment_drop"]
    told = fold(log, model, NOW).alerts
    assert Counter(told.select("rule", "unit", "owner").iter_rows()) == Counter(
        (one["rule"], one["unit"], one["owner"]) for one in raised
    )
    bases = Counter(one["unit_basis"] for one in raised)
    assert min(bases[basis] for basis in ("own", "last_stay", "only_unit", "none")) > 0, bases

    # Another care centre is another owner, and nothing else.
    moved = replace(model, brands=replace(BRANDS, care={None: "CARE-2"}))
    found = {one.title: one.rows for one in differences(log, model, moved, NOW)}
    a_day = found.pop("alerts a day by rule and unit")
    assert set(a_day["owner"]) == {"CARE", "CARE-2", "CARE-NOOR"} & set(a_day["owner"])
    assert "CARE-2" in a_day["owner"]
    assert set(a_day["unit"]) == {None}
    assert all(rows.is_empty() for rows in found.values())
