"""The library of CloudEvents by CNCF against a collector. (Of Segment's libraries: tests/unit/test_collect.py.)"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.support.collector import TOKEN, Served
from tests.unit.test_collect import pairs, served, uuid_of

AT = datetime(2025, 2, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_the_library_of_cloudevents(mode: str) -> None:
    about = {
        "id": "e-1",
        "source": "/pms",
        "type": "com.example.booking.confirmed",
        "time": AT,
        "subject": "chambre 7é",
    }
    data = {"ids": [{"kind": "customer", "value": "C-7"}], "booking_ref": "R-7", "room": "204"}
    event = CloudEvent(about, data)
    message = (to_structured if mode == "structured" else to_binary)(event, JSONFormat())

    async def test(on: Served) -> None:
        headers = {**message.headers, "Authorization": f"Bearer {TOKEN}"}
        headers.setdefault("content-type", "application/json")
        async with on.http.post(on.url + "/v1/events", data=message.body, headers=headers) as answer:
            assert (answer.status, json.loads(await answer.read())["accepted"]) == (202, 1)
        (found,) = on.kept.events("booking")
        assert (found["event_id"], found["occurred_at"]) == (uuid_of("/pms", "e-1"), AT.timestamp() * 1000)
        assert (found["touchpoint"], found["booking_ref"]) == ("booking.confirmed", "R-7")
        assert {("subject", "chambre 7é"), ("room", "204")} <= set(pairs(found, "attributes", "key"))

    served(test)
