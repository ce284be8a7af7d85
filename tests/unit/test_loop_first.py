"""One click, one event: what a form says twice is recorded as it was said first."""

from __future__ import annotations

from streams.loop.first import First


def test_what_came_first_with_an_id_is_what_counts() -> None:
    first, early, late = First(), {"event_id": "a", "occurred_at": 1}, {"event_id": "a", "occurred_at": 2}
    assert first.of(early) is early
    assert first.of(late) is early
    assert first.of({"event_id": "b", "occurred_at": 3})["occurred_at"] == 3


def test_only_the_newest_are_remembered() -> None:
    first = First(kept=2)
    for id_ in "abc":
        first.of({"event_id": id_, "occurred_at": 1})
    assert first.of({"event_id": "c", "occurred_at": 2})["occurred_at"] == 1
    assert first.of({"event_id": "a", "occurred_at": 2})["occurred_at"] == 2
