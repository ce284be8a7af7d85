"""A group's messages, some subjects at a time."""

from __future__ import annotations

from streams.stitch.journey import Event
from streams.stitch.messages import Messages, Record


def test_each_subject_is_taken_out_once_with_all_that_came_for_it() -> None:
    record: Record = (1, b"12345678", Event(1, b"a" * 16, None, "stay.x", 2))
    messages = Messages(
        interactions={f"guest_profile:{number}": [record] for number in range(5)},
        identities={f"guest_profile:{number}": [(2, "customer:1", 3)] for number in range(3, 8)},
        parts={
            "guest_profile:4": [(4, "device:d", 5, None, "summary")],
            "customer:1": [(5, "device:d", 6, None, "summary")],
        },
    )
    whole = Messages({**messages.interactions}, {**messages.identities}, {**messages.parts})
    taken = [*messages.taken(2)]
    assert [len({*some.interactions, *some.identities, *some.parts}) for some in taken] == [2, 2, 2, 2, 1]
    again = Messages()
    for some in taken:
        assert not some.interactions.keys() & again.interactions.keys()
        again.interactions |= some.interactions
        again.identities |= some.identities
        again.parts |= some.parts
    assert again == whole
    assert messages == Messages()
    assert [*messages.taken(2)] == []
