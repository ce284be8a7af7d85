"""`rihla restate`: what was stored under other spellings becomes what the spelling of today makes, exactly.

The test spoils what is stored as versions before the normal form left it: some events under a name with a blank behind
it, too. What follows must be what was there before.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.sources.simulate import Options, write
from tests.support.exactness import rihla, view_rows

pytestmark = pytest.mark.slow
TWICE = (
    "INSERT INTO interactions_store SELECT * REPLACE (concat(subject, ' ') AS subject, "
    "arrayMap(one -> (one.kind, concat(one.value, ' ')), ids) AS ids) FROM interactions_store "
    "WHERE startsWith(subject, 'customer:') AND cityHash64(event_id) % 2 = 0"
)


STATE = """
    SELECT
        (SELECT groupArray((subject, event_id)) FROM (SELECT subject, event_id FROM interactions
            ORDER BY ALL)) AS events,
        (SELECT groupArray((customer_id, interactions)) FROM (SELECT customer_id, interactions FROM customers
            ORDER BY ALL)) AS people,
        (SELECT groupArray((journey_id, status)) FROM (SELECT journey_id, status FROM journeys ORDER BY ALL)) AS trips,
        (SELECT min(customer_id) FROM customers) AS first
"""


def test_of_a_folder_who_was_erased_stays_so(tmp_path: Path) -> None:
    events, old, new = tmp_path / "events.jsonl", tmp_path / "old", tmp_path / "new"
    write(Options(customers=60, duplicates=0.1, seed=7), events)
    rihla("run", str(events), "--data", str(old))
    [everybody] = view_rows(old, STATE)
    rihla("forget", everybody["first"], "--data", str(old), "--reference", "ticket 1")
    [before] = view_rows(old, STATE)
    assert len(before["people"]) == len(everybody["people"]) - 1
    rihla("query", "--user", "owner", "--data", str(old), TWICE)
    assert view_rows(old, STATE) != [before]
    rihla("restate", str(old), str(new))
    rihla("verify", "--data", str(new))
    assert view_rows(new, STATE) == [before]
    rihla("run", str(events), "--data", str(new))  # all of it again: the person's events are refused
    assert view_rows(new, STATE) == [before]
