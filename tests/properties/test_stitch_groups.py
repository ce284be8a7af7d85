"""Groups keep invariant 1: what members' tables hold depends on the set of events alone (docs/groups.md)."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model.groups import FOREVER
from streams.model.membership import Said, holding, periods
from streams.stitch.encoding import decode
from streams.stitch.erase import erase
from streams.stitch.fold import fold_messages
from streams.stitch.journey import Event
from streams.stitch.membership import GroupSaid
from streams.stitch.messages import Messages
from tests.properties.test_stitch_fold import (
    DAY,
    START,
    SUBJECTS,
    World,
    event,
    items_publish_the_same,
    play,
    roots,
)

GROUPS = ("group:g", "group:h")
ALL = ("", "", "", "")
BUS = ("", "1", "", "")
JOINED, LEFT, WITHDRAWN = 0, 1, 2


def happening(number: int, day: int, score: int | None, labels: tuple[str, ...] = ALL) -> Event:
    """Something that happens to a group."""
    made = event(number, day, None, number % 3, score, "c1" if number % 2 else None)
    made.group = ((), None, labels)
    return made


def saying(number: int, day: int, groups: tuple[str, ...], said: Said) -> Event:
    """Something that is said of somebody's membership."""
    made = event(number, day, "R1" if number % 3 else None, 0, None, None)
    made.milestone = -1
    of_groups: GroupSaid = (groups, said, ALL)
    made.group = of_groups
    return made


def joined(number: int, day: int, *groups: str, bus: str = "", until: int | None = None) -> Event:
    at = START + day * DAY
    end = FOREVER if until is None else START + until * DAY
    return saying(number, day, groups, (at, JOINED, at, end, ("", bus, "", "")))


happenings = st.lists(
    st.tuples(st.sampled_from(GROUPS), st.integers(0, 60), st.integers(-10, 10), st.sampled_from([ALL, BUS])),
    max_size=5,
)
sayings = st.lists(
    st.tuples(
        st.sampled_from(SUBJECTS),
        st.integers(0, 60),
        st.sampled_from([("group:g",), ("group:g",), GROUPS]),
        st.sampled_from([JOINED, JOINED, JOINED, LEFT, WITHDRAWN]),
        st.integers(1, 40),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=7,
)
others = st.lists(st.tuples(st.sampled_from(SUBJECTS), st.integers(0, 90), st.sampled_from([None, "R1"])), max_size=4)


@settings(max_examples=150, deadline=None)
@given(happenings, sayings, others, roots, st.integers(0, 2**32))
def test_any_order_batching_duplication_crash_and_eviction_publishes_the_same(
    happened: Any, said: Any, else_: Any, moves: Any, seed: int
) -> None:
    items: list[tuple[str, int, Event]] = []
    for group, day, score, labels in happened:
        items.append((group, len(items), happening(len(items), day, score, labels)))
    for subject, day, groups, what, days, bus in said:
        at = START + day * DAY
        of_it: Said = (
            at,
            what,
            at,
            at + days * DAY if what == JOINED else 0,
            ("", bus, "", "") if what == JOINED else (),
        )
        items.append((subject, len(items), saying(len(items), day, groups, of_it)))
    for subject, day, ref in else_:
        items.append((subject, len(items), event(len(items), day, ref, 0, 3, None)))
    items_publish_the_same(items, moves, Random(seed))


def played(*items: tuple[str, Event], moves: list[tuple[str, str, int]] | None = None) -> dict[str, Any]:
    """The customers and journeys that follow from these events: name -> interactions."""
    numbered = [(subject, int.from_bytes(one.event_id, "big"), one) for subject, one in items]
    world = play(numbered, moves or [], Random(7), shuffle=True, duplicate=True, crashes=False)
    return {key: row[8] for key, row in world.exact().get("customers", {}).items()}


def test_an_event_reaches_who_was_a_member_then_and_nobody_else() -> None:
    late = ("group:g", happening(1, 10, -5))
    assert played(late, ("customer:a", joined(2, 5, "group:g")), ("customer:b", joined(3, 11, "group:g"))) == {
        "a": 2,
        "b": 1,
    }
    assert played(late, ("customer:a", joined(2, 5, "group:g", until=10))) == {"a": 1}
    assert played(late, ("customer:a", joined(2, 5, "group:g", bus="1")), ("group:g", happening(3, 10, -5, BUS))) == {
        "a": 3
    }
    assert played(("group:g", happening(1, 10, -5, BUS)), ("customer:a", joined(2, 5, "group:g", bus="2"))) == {"a": 1}


def test_it_leaves_with_the_membership() -> None:
    late, came = ("group:g", happening(1, 10, -5)), ("customer:a", joined(2, 5, "group:g"))
    never = ("customer:a", saying(3, 20, ("group:g",), (START + 20 * DAY, WITHDRAWN, 0, 0, ())))
    assert played(late, came, never) == {"a": 2}
    left = ("customer:a", saying(3, 8, ("group:g",), (START + 8 * DAY, LEFT, START + 8 * DAY, 0, ())))
    assert played(late, came, left) == {"a": 2}


def test_who_joined_under_two_names_is_told_once() -> None:
    late, came = ("group:g", happening(1, 10, -5)), ("customer:a", joined(2, 5, "group:g"))
    again = ("device:d", joined(3, 6, "group:g"))
    assert played(late, came, again) == {"a": 2, "device:d": 2}
    assert played(late, came, again, moves=[("device:d", "customer:a", 1)]) == {"a": 3}


def test_three_thousand_members_hear_once_each_and_only_those_concerned_are_written_to() -> None:
    world = World()
    members = {f"customer:{n}": joined(n, 5, "group:g", bus=str(n % 60)) for n in range(3000)}
    world.run(Messages({name: [(n, n.to_bytes(8, "big"), one)] for n, (name, one) in enumerate(members.items())}))
    world.run(world.next_parts(3000))
    assert len(world.parts) == 3000  # nothing has happened, so nothing is sent back
    world.run(Messages({"group:g": [(3000, b"12345678", happening(9, 10, -5, BUS))]}))
    assert {target for target, *_ in world.parts[3000:]} == {f"customer:{n}" for n in range(1, 3000, 60)}
    world.run(Messages({"group:g": [(3001, b"12345679", happening(10, 11, -5))]}))
    assert len(world.parts) == 3000 + 50 + 3000
    world.run(world.next_parts(10_000))
    counts = [row[8] for row in world.exact()["customers"].values()]
    assert (counts.count(3), counts.count(2), len(counts)) == (50, 2950, 3000)


def test_nobody_s_group_and_its_cases_are_in_no_table() -> None:
    assert played(("group:g", happening(1, 10, -5))) == {}


def test_an_erased_member_is_in_no_group() -> None:
    world = World()
    world.run(Messages({"customer:a": [(0, b"12345678", joined(1, 5, "group:g"))]}))
    world.run(world.next_parts(1))
    gone, changed = erase(world.states.items(), {"customer:a"})
    assert gone == [b"customer:a"]
    state = decode(changed[b"group:g"])
    assert state.group is not None
    assert state.group.members == {}


def test_times_that_are_none_are_refused_before_they_are_kept() -> None:
    with pytest.raises(ValueError, match=r"Expected|truncated|malformed"):
        fold_messages({}.get, Messages(parts={"group:g": [(0, "customer:a", 1, b"\x93", "summary")]}))


said_of_one = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 9), st.integers(0, 12), st.sampled_from([ALL, BUS])),
    max_size=8,
)


@given(said_of_one)
def test_membership_at_a_moment_is_what_the_rules_say(said: list[Said]) -> None:
    """The rules of docs/groups.md, one moment after another."""
    void = max([at for at, what, *_ in said if what == WITHDRAWN], default=-1)
    found = periods(said)
    for moment in range(13):
        best = None
        for at, what, since, until, labels in said:
            over = any(w == LEFT and a > void and since < time <= moment for a, w, time, _, _ in said)
            if what == JOINED and at > void and since <= moment < until and not over:
                end = min([t for a, w, t, _, _ in said if w == LEFT and a > void and t > since] + [until])
                best = max(best or (-1,), (since, at, end, labels))
        period = holding(found, moment)
        assert (period and period[2]) == (best and best[3])
