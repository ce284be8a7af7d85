"""Storms: many alerts of one rule at one unit are one incident; few are told one by one. Clocks stand still."""

from __future__ import annotations

from typing import Any

import pytest

from streams.deliver import storms
from streams.deliver.message import message
from streams.deliver.model import Storm
from streams.deliver.routes import RoutesError, parse
from streams.deliver.storms import Gathering, decode, encode, offer, take
from tests.support.deliveries import ALERT, AT

SECOND, MINUTE = 1000, 60_000
STORM = Storm()


def alert(number: int, at: int = AT, **said: Any) -> dict[str, Any]:
    of = {"alert_id": f"{number:032x}", "customer_id": f"P{number}", "unit": "BUS-7", "occurred_at": at}
    return {**ALERT, **of, "raised_at": at, **said}


def gathered(*alerts: dict[str, Any], now: int = AT) -> Gathering:
    gathering = Gathering("halal_breach", "BUS-7")
    for one in alerts:
        assert offer(gathering, STORM, one["version"], one, now) == []
    return decode(encode(gathering))  # as the next worker finds it


def test_forty_three_pilgrims_of_one_bus_are_one_message() -> None:
    gathering = gathered(*(alert(number, AT + number * SECOND) for number in range(43)))
    assert take(gathering, STORM, AT + 2 * SECOND) == ([], [])
    alone, news = take(gathering, STORM, gathering.due)
    assert alone == []
    ((version, thing),) = news
    assert (thing["customers"], thing["alerts"], thing["open"], len(thing["members"])) == (43, 43, 43, 43)
    assert (thing["occurred_at"], thing["last_at"]) == (AT, AT + 42 * SECOND)
    assert "P1" not in str(thing)
    told = message("incident", thing["incident_id"], version, thing, clear=False)
    assert told.subject == "[critical] halal_breach at BUS-7: 43 customers"
    assert told.body["type"] == "incident.raised"
    assert (gathering.due, take(gathering, STORM, AT + 10 * MINUTE)) == (0, ([], []))


def test_few_are_told_one_by_one_after_the_hold() -> None:
    gathering = gathered(*(alert(number) for number in range(4)))
    alone, news = take(gathering, STORM, AT + 3 * SECOND)
    assert [thing["alert_id"] for _, thing in alone] == [f"{number:032x}" for number in range(4)]
    assert news == []
    later = alert(2, version=2, acknowledged_at=AT + MINUTE)
    assert offer(gathering, STORM, 2, later, AT + MINUTE) == [(2, later)]


def test_the_same_customer_five_times_is_no_storm() -> None:
    gathering = gathered(*(alert(number, customer_id="P") for number in range(9)))
    assert len(take(gathering, STORM, AT + 3 * SECOND)[0]) == 9


def test_causes_far_from_each_other_are_no_storm() -> None:
    gathering = gathered(*(alert(number, AT + number * 31 * MINUTE) for number in range(9)))
    assert len(take(gathering, STORM, AT + 3 * SECOND)[0]) == 9


def test_who_comes_later_is_a_member_and_a_further_version() -> None:
    gathering = gathered(*(alert(number) for number in range(5)))
    ((first, _),) = take(gathering, STORM, AT + 3 * SECOND)[1]
    late = alert(6, AT + 20 * MINUTE)
    assert offer(gathering, STORM, 1, late, AT + 20 * MINUTE) == []
    assert take(gathering, STORM, AT + 20 * MINUTE) == ([], [])
    ((second, thing),) = take(gathering, STORM, AT + 21 * MINUTE)[1]
    assert second > first
    assert thing["customers"] == 6


def test_an_incident_is_taken_with_its_first_member_and_closed_with_its_last() -> None:
    gathering = gathered(*(alert(number) for number in range(5)))
    take(gathering, STORM, AT + 3 * SECOND)
    offer(gathering, STORM, 2, alert(1, version=2, acknowledged_at=AT + 9), AT + 9)
    ((_, thing),) = take(gathering, STORM, gathering.due)[1]
    assert (thing["acknowledged_at"], thing["closed_at"]) == (AT + 9, None)
    for number in range(5):
        offer(gathering, STORM, 3, alert(number, version=3, closed_at=AT + 20 + number), AT + 30)
    ((_, thing),) = take(gathering, STORM, gathering.due)[1]
    assert (thing["closed_at"], thing["open"]) == (AT + 24, 0)


def test_alerts_told_before_the_storm_was_one_are_members_and_go_on_by_themselves() -> None:
    gathering = gathered(alert(0))
    assert len(take(gathering, STORM, AT + 3 * SECOND)[0]) == 1
    for number in range(1, 5):
        offer(gathering, STORM, 1, alert(number), AT + 5 * SECOND)
    alone, ((_, thing),) = take(gathering, STORM, AT + 8 * SECOND)
    assert (alone, thing["alerts"]) == ([], 5)
    closed = alert(0, version=2, closed_at=AT + MINUTE)
    assert offer(gathering, STORM, 2, closed, AT + MINUTE) == [(2, closed)]
    ((_, thing),) = take(gathering, STORM, gathering.due)[1]
    assert thing["open"] == 4


def test_an_older_version_and_the_same_again_change_nothing() -> None:
    gathering = gathered(*(alert(number, version=2) for number in range(5)))
    take(gathering, STORM, AT + 3 * SECOND)
    for version in (1, 2):
        offer(gathering, STORM, version, alert(1, version=version, closed_at=AT), AT + MINUTE)
    assert gathering.due == 0


def test_erased_customers_are_no_members() -> None:
    gathering = gathered(*(alert(number) for number in range(6)))
    assert gathering.without(lambda customer: customer == "P3")
    assert not gathering.without(lambda customer: customer == "P3")
    ((_, thing),) = take(gathering, STORM, AT + 3 * SECOND)[1]
    assert thing["customers"] == 5


def test_without_the_storm_in_the_routes_nothing_is_held() -> None:
    gathering = gathered(alert(0), alert(1))
    assert len(take(gathering, None, AT)[0]) == 2


def test_which_alerts_are_gathered_and_mistakes_of_the_file() -> None:
    text = '[targets.log]\ntype = "log"\n[[routes]]\nto = ["log"]\n[[storms]]\nrules = ["halal_breach"]\n'
    routes = parse(text, "routes.toml")
    assert storms.storm_of(routes, alert(1)) == Storm(rules=["halal_breach"])
    assert storms.storm_of(routes, alert(1, unit=None)) is None
    assert storms.storm_of(routes, alert(1, rule="detractor")) is None
    for line, told in {"customers = 1": "2 at least", 'hold = "soon"': "no duration", "units = []": "is empty"}.items():
        with pytest.raises(RoutesError, match=r"routes\.toml:7: storms\.0") as caught:
            parse(text + line, "routes.toml")
        assert told in str(caught.value)
