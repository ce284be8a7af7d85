"""States that cannot be read cost their key alone, whoever comes across them."""

from __future__ import annotations

from typing import Any

import pytest

from streams.alerts.ticker import Ticker
from streams.identity.changelog import GraphState, link_key
from streams.stitch.encoding import encode
from streams.stitch.erase import erase
from streams.stitch.fold import fold_due, fold_messages
from streams.stitch.journey import Event
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.stitch.peek import watch_of
from streams.stitch.subject import Subject
from streams.worker.sift import is_of_record, sift

UNREADABLE = [b"\x09of a later version", b"\x01no frame", b"\x9f", b"\xff", b"\x93\x01\x02\x03"]
NOON = 1_770_000_000_000


def messages() -> Messages:
    event = Event(NOON, bytes(16), "B", "booking.confirmed", 0)
    return Messages({name: [(7, bytes(8), event)] for name in ("customer:1", "customer:2", "customer:3")})


@pytest.mark.parametrize("state", UNREADABLE)
def test_the_fold_of_one_subject_raises_and_the_others_are_folded(state: bytes) -> None:
    each = messages().each()
    load = {b"customer:2": state}.get
    sifted = sift(len(each), lambda some: fold_messages(load, Messages.of(each[some.start : some.stop])))
    assert [each[at][0] for at, _ in sifted.faults] == ["customer:2"]
    assert {key for _, changes in sifted.done for key in changes.states} == {b"customer:1", b"customer:3"}


@pytest.mark.parametrize("state", UNREADABLE)
def test_a_timer_of_it_is_of_its_key(state: bytes) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        fold_due({b"customer:2": state}.get, ["customer:2"], RuleContext({}, NOON), NOON)
    assert is_of_record(raised.value)


@pytest.mark.parametrize("state", UNREADABLE[:4])  # a timer is found without reading all of a state
def test_it_has_no_timer(state: bytes) -> None:
    told: list[BaseException] = []

    async def fire(*_: Any) -> None:
        raise AssertionError

    assert Ticker(None, None, (), fire, told.append, watch_of)._watch(state) is None  # type: ignore[arg-type]
    assert len(told) == 1


def test_an_erasure_deletes_it_where_it_may_name_the_erased() -> None:
    told: list[BaseException] = []
    states = [(b"customer:1", encode(Subject())), (b"customer:2", UNREADABLE[0]), (b"customer:3", b"\xff customer:9")]
    gone, changed = erase(states, {"customer:9"}, told.append)
    assert (gone, changed, len(told)) == ([b"customer:2", b"customer:3"], {}, 2)


def test_a_changelog_of_links_with_records_that_are_none() -> None:
    state = GraphState()
    state[link_key("customer:1", "device:2")] = (5).to_bytes(8)
    for key, value in (
        (b"junk", bytes(8)),
        (link_key("a:b", "c:d"), b"short"),
        (b"\xff:", bytes(8)),
        (b"x:y", bytes(8)),
    ):
        state[key] = value
        assert state.get(key) is None
        assert state.pop(key) is None
    assert len(state) == 1
