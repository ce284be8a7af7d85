"""Anomalies in ClickHouse: days without contacts count, what is stored, and what the query shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.trends import days, expected
from streams.verify.anomalies import anomalies as verified
from tests.integration.test_clickhouse_queries import ask
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, interaction

SPAN = 100
FIRST = datetime.fromtimestamp(NOON / 1000, UTC).date()


def test_a_day_without_contacts_is_out_of_the_ordinary(clickhouse: ClickHouse) -> None:
    """Nine to eleven contacts a day, and one day without any; of sentiment every answer is 0.5 or 0.3."""
    clickhouse.migrated()
    silent = SPAN - 5
    rows = [
        interaction(f"customer:{day}{place}", NOON + day * DAY + place, unit="MAK-1", score=0.5 - 0.2 * (place % 2))
        for day in range(SPAN)
        for place in range(9 + day % 3)
        if day != silent
    ]
    clickhouse.write("interactions", frame("interaction", *rows))
    until = FIRST + timedelta(days=SPAN)
    with clickhouse.connect() as client:
        for metric in ("contacts", "sentiment"):
            (series,) = days.series(client, metric, until).values()
            shown = expected.judged(series, FIRST)
            figures = expected.tested(shown)
            assert figures.days == SPAN - expected.LEAST_DAYS - (metric == "sentiment")
            assert [one.day for one in shown if one.alarm] == (
                [FIRST + timedelta(days=silent)] if metric == "contacts" else []
            )
            days.save(client, metric, "MAK-1", shown, figures._replace(alarms=99))
            days.save(client, metric, "MAK-1", shown, figures)
        (row,) = ask(clickhouse, "anomalies")
        assert row[:4] == (FIRST + timedelta(days=silent), "MAK-1", "contacts", 0.0)
        assert 8 < row[4] < 12
        assert row[7:11] == (0, 1, SPAN - expected.LEAST_DAYS, 1)
        assert len(ask(clickhouse, "anomalies", alarms="0")) == 2 * (SPAN - expected.LEAST_DAYS) - 1
        assert ask(clickhouse, "anomalies", unit="MED-1") == []
        assert verified(client).differences.height == 0
        (one,) = (one for one in shown if one.day == until - timedelta(days=1))
        days.save(client, "nps", "MAK-1", [one._replace(alarm=True, score=-one.score)], figures)
        assert verified(client).differences["column"].to_list() == ["figures"]
