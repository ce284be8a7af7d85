"""Drivers in ClickHouse: what counts as having gone before an answer, what is stored, and what is shown."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streams.drivers import estimate, store
from streams.verify.drivers import drivers as verified
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction, journey

GUESTS = 240
HOUR = 3_600_000
SPAN = (datetime.fromtimestamp((NOON - DAY) / 1000, UTC), datetime.fromtimestamp((NOON + 90 * DAY) / 1000, UTC))


def test_drivers_of_stored_answers(clickhouse: ClickHouse) -> None:
    """Every second guest waited an hour at check-in, and answers 3 instead of 9; a fifth of all answers 7."""
    clickhouse.migrated()
    rows, journeys = [], []
    for guest in range(GUESTS):
        at, waited = NOON + guest * HOUR, guest % 2 == 0
        who, trip = f"customer:{guest}", {"booking_ref": f"B{guest}"}
        score = 7.0 if guest % 5 == 0 else 3.0 if waited else 9.0
        prayer = [{"aspect": "prayer", "score": 0.5 if guest % 3 else -0.5}]
        rows += [
            interaction(who, at - 5 * HOUR, package=("gold", "plain")[guest // 3 % 2], **trip),
            interaction(who, at - 4 * HOUR, wait_seconds=3600 if waited else 0, **trip),
            interaction(who, at - 3 * HOUR, aspects=prayer, **trip),
            # Beside the answer, and after it: neither counts.
            interaction(
                *(who, at),
                **{"survey": {"instrument": "nps", "score": score}, "unit": ("MAK-1", "MED-1")[guest // 7 % 2], **trip},
                aspects=[{"aspect": "price", "score": score / 10 - 0.6}],
            ),
            interaction(who, at + HOUR, wait_seconds=7200, **trip),
        ]
        journeys.append(journey(str(guest), f"B{guest}", at - 5 * HOUR, at + HOUR))
    clickhouse.write("interactions", frame("interaction", *rows))
    clickhouse.write("journeys", frame("journey", *journeys))
    with clickhouse.connect() as client:
        sample = store.sample(client, "nps", "", *SPAN)
        assert sorted(sample.drivers) == ["aspect prayer", "unit", "wait"]
        assert len(sample.answers) == len({*sample.customers.tolist()}) == GUESTS
        expected = [0.0 if guest % 5 == 0 else -100.0 if guest % 2 == 0 else 100.0 for guest in range(GUESTS)]
        assert sample.answers.tolist() == expected
        waits = sample.drivers["wait"][:, 0]
        assert waits.tolist() == pytest.approx([np.log2(61) if guest % 2 == 0 else 0.0 for guest in range(GUESTS)])
        assert sample.drivers["aspect prayer"][:, 0].tolist() == [0.5 if guest % 3 else -0.5 for guest in range(GUESTS)]
        assert sample.controls.shape == (GUESTS, 1)  # two packages, one season
        with pytest.raises(estimate.TooFewError):
            estimate.found(store.sample(client, "csat", "", *SPAN))
        shown = estimate.found(sample, rounds=50)
        assert shown.drivers[0].name == "wait"
        assert shown.drivers[0].low > 0.5
        assert shown.useful
        store.save(client, "nps", "", *SPAN, shown._replace(n=7, r2=0.9))
        store.save(client, "nps", "", *SPAN, shown)  # a later run takes the place of one before
        store.save(client, "nps", "MAK-1", *SPAN, shown)
        found = ask(clickhouse, "drivers")
        assert [(row[0], row[1], row[2]) for row in found] == [("nps", "", one.name) for one in shown.drivers]
        assert {row[9] for row in found} == {GUESTS}
        assert found[0][3] == pytest.approx(shown.drivers[0].share, abs=1e-4)
        assert {row[1] for row in ask(clickhouse, "drivers", unit="MAK-1")} == {"MAK-1"}
        assert ask(clickhouse, "drivers", unit="JED-1") == []
        assert verified(client).differences.height == 0
        store.save(client, "nps", "MED-1", *SPAN, shown._replace(r2=0.99))
        assert verified(client).differences["column"].to_list() == ["sum of shares"]
