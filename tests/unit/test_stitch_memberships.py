"""What stitch reads of groups in the records of cx.interactions, and how times of membership are written."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.kafka.progress import RecordBatch
from streams.model.company import built_in
from streams.model.groups import FOREVER, moment
from streams.settings import Settings
from streams.stitch.observer import RuleContext
from streams.stitch.reading import Reader
from streams.worker.io import WorkerIO
from tests.support.columns import columns
from tests.support.plain_workers import START_MS, interaction, log_of

PERSON, GROUP, OTHER = ("customer", "a"), ("group", "g"), ("group", "h")


def attributes(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def read(*events: dict[str, Any]) -> dict[str, list[Any]]:
    """By subject, what each of its events says of groups."""
    settings = Settings()
    topics = [settings.topic(name) for name in ("interactions", "identities", "parts")]
    log = log_of(list(events))
    values = BatchEncoder("interaction", LocalRegistry()).encode(log)
    made = columns((at, b"key", value) for at, value in enumerate(values))
    group = Reader(WorkerIO(None, settings, "stitch"), topics, RuleContext({}, 0), built_in()).read(
        [RecordBatch(made, topics[0], 0, 1)]
    )
    assert group.refused == []
    return {subject: [event.group for _, _, event in some] for subject, some in group.of(0).interactions.items()}


def test_members_and_events_of_groups_are_read() -> None:
    join = {"touchpoint": "booking.group_joined"}
    given = attributes(bus=" 12 ", valid_from="2025-05-28", valid_until="2025-06-20T12:00:00+03:00")
    given.append({"key": "bus", "value": "13"})  # the first counts
    found = read(
        interaction(1, ids=[PERSON], touchpoint="identity.linked"),
        interaction(2, ids=[PERSON, GROUP, OTHER, GROUP], after=5, attributes=given, **join),
        interaction(3, ids=[PERSON, GROUP], after=6, touchpoint="booking.group_left", attributes=given),
        interaction(4, ids=[PERSON], after=7, **join),
        interaction(5, ids=[PERSON, GROUP], after=8),
        interaction(6, ids=[GROUP], booking_ref="R", touchpoint="stay.guide_absent", attributes=attributes(guide="s")),
        interaction(7, ids=[GROUP], **join),
    )
    assert found == {
        "customer:a": [
            (
                ("group:g", "group:h"),
                (START_MS + 5, 0, 1748390400000, 1750410000000, ("", "12", "", "")),
                (),
            ),
            (("group:g",), (START_MS + 6, 1, 1750410000000, 0, ()), ()),
            None,
            None,
        ],
        "group:g": [((), None, ("s", "", "", "")), ((), None, ("", "", "", ""))],
    }


def test_a_joining_without_times_is_from_its_event_on() -> None:
    (said,) = read(interaction(1, ids=[PERSON, GROUP], touchpoint="booking.group_joined"))["customer:a"]
    assert said[1] == (START_MS, 0, START_MS, FOREVER, ("", "", "", ""))


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2025-02-30", "2025-05-28T10:00:00", "2025-05-28T25:00:00Z", "1899-01-01", "2025-05-28\n", "20250528"],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None
