"""The desk without a browser: who may see and do what, sessions, and what pages of other sites cannot do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar

from sinks.clickhouse.asking import Question
from sinks.clickhouse.named import load
from sinks.clickhouse.segments import SEPARATOR
from streams.loop.answers import letters
from streams.serve.desk.assets import TYPES
from streams.serve.desk.figures import FEWEST, Asked, described, filters_of, supported
from streams.serve.sessions import IDLE, LONGEST, Sessions
from streams.serve.tokens import LISTED, LOOKUPS, Bearer
from tests.support.desk import Hotel, hotel
from tests.support.hotel import CORNICHE, TOWERS, said_id

OURS = {"X-Rihla-Desk": "1"}


class Visitor:
    """Who has signed in, or not."""

    def __init__(self, served: Hotel, session: ClientSession) -> None:
        self._served, self._session = served, session

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON."""
        async with self._session.request(method, self._served.url + path, **options) as answer:
            told = await answer.json(content_type=None) if answer.content_type.endswith("json") else None
            return answer.status, told

    async def get(self, path: str) -> tuple[int, Any]:
        """What a GET is answered."""
        return await self.ask("GET", path)

    async def sign_in(self, token: str) -> int:
        """The status."""
        return (await self.ask("POST", "/desk/session", json={"token": token}, headers=OURS))[0]


@asynccontextmanager
async def visiting(folder: Path, token: str | None = None) -> AsyncIterator[tuple[Hotel, Visitor]]:
    """A desk and somebody at it."""
    folder.mkdir(exist_ok=True)
    async with hotel(folder) as served, ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        visitor = Visitor(served, session)
        if token is not None:
            assert await visitor.sign_in(token) == 200
        yield served, visitor


async def test_who_may_see_what(tmp_path: Path) -> None:
    unit = "unit=Makkah+Towers"
    paths = ("inbox", f"day?{unit}&date=2026-03-01", "figures", "pipeline", "me", f"readiness?{unit}")
    allowed = {
        None: [401] * 6,
        "agent": [200, 200, 403, 403, 200, 403],
        "ops": [200] * 6,
        "analyst": [403, 403, 200, 403, 200, 200],
        "nobody": [200, 403, 403, 403, 200, 403],
    }
    for number, (token, statuses) in enumerate(allowed.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with visiting(folder, token) as (_, visitor):
            assert [(await visitor.get(f"/desk/data/{path}"))[0] for path in paths] == statuses, token


async def test_the_inbox_has_the_gravest_first_and_of_my_units_alone(tmp_path: Path) -> None:
    async with visiting(tmp_path, "agent") as (_, visitor):
        _, told = await visitor.get("/desk/data/inbox")
        assert [(one["kind"], one["severity"], one.get("count")) for one in told["items"]] == [
            ("alert", "critical", None),
            ("storm", "high", 6),
            ("alert", "high", None),
            ("case", "medium", None),  # that of the critical alert is spoken of by it
        ]
        assert told["total"] == 9
        assert (await visitor.get(f"/desk/data/inbox?unit={CORNICHE}"))[0] == 403
        assert (await visitor.get("/desk/data/me"))[1]["units"] == [TOWERS]


async def test_a_day_of_a_unit_says_who_needs_care(tmp_path: Path) -> None:
    today = datetime.now(UTC).date().isoformat()
    async with visiting(tmp_path, "agent") as (served, visitor):
        _, told = await visitor.get(f"/desk/data/day?unit={TOWERS}&date={today}")
        assert told["counts"] == {"arrivals": 2, "in_house": 8, "departures": 1}
        first = told["in_house"][0]
        assert (first["customer_id"], first["plan"]["room"], first["cares"][0]) == ("C0000002", "402", "critical_alert")
        assert [one["cares"] for one in told["departures"]] == [[]]
        for day in ("today", "0001-01-01", "9999-12-31"):
            assert (await visitor.get(f"/desk/data/day?unit={TOWERS}&date={day}"))[0] == 422
        assert (await visitor.get(f"/desk/data/day?unit={CORNICHE}&date={today}"))[0] == 403
    assert {row[5] for row in served.written} >= {"C0000002", "C0000005"}  # each that was shown is written down


async def test_answers_are_events_of_my_units_alone(tmp_path: Path) -> None:
    said: dict[str, Any] = {"kind": "alert", "id": "prayer", "customer_id": "C0000002", "verb": "take"}
    async with visiting(tmp_path, "agent") as (served, visitor):

        async def send(headers: dict[str, str] = OURS, **more: Any) -> int:
            return (await visitor.ask("POST", "/desk/data/answer", json={**said, **more}, headers=headers))[0]

        assert await send() == 202
        assert await send({}) == 401  # as from a form of another page: the cookie alone is nobody
        assert await send(id="stalled") == 403
        assert await send(id="gone") == 404
        assert await send(verb="assign", to="layla@example.com") == 422
        assert await send(verb="shout") == 422
        assert [await send(verb="snooze", until=until) for until in (10**13, 10**17, -1, 0)] == [422] * 4
        assert await send(kind="case", id="K-0993", customer_id="C0000004", verb="resolve", note="paid") == 202
        served.fails = True
        assert await send(verb="resolve") == 503
    assert [(one["touchpoint"], one["agent_id"], one["case_id"]) for one in served.answers] == [
        ("stay.case_taken", "agent", "K-1042"),
        ("booking.case_resolved", "agent", "K-0993"),
    ]


async def test_a_text_that_was_read_wrongly(tmp_path: Path) -> None:
    """An event and a look-up; of my units, by a page of ours, about a text that is there."""
    said: dict[str, Any] = {"customer_id": "C0000002", "event_id": said_id(-1), "verdict": "positive", "click": "1"}

    async with visiting(tmp_path, "agent") as (served, visitor):

        async def send(headers: dict[str, str] = OURS, **more: Any) -> int:
            return (await visitor.ask("POST", "/desk/data/correction", json={**said, **more}, headers=headers))[0]

        assert await send() == 202
        assert await send(click="2") == 202
        assert await send({}) == 401
        assert await send(customer_id="C0000007") == 403  # at the other hotel
        assert [await send(customer_id="C9"), await send(event_id="x"), await send(event_id=said_id(2))] == [404] * 3
        assert [await send(verdict="bad"), await send(more=1), await send(click="c" * 65)] == [422] * 3
        served.fails = True
        assert await send() == 503
        served.fails = False
        first, again = served.answers
        assert first["event_id"] != again["event_id"]
        assert (first["touchpoint"], first["agent_id"], first["booking_ref"]) == (
            "stay.sentiment_corrected",
            "agent",
            "RH00002",
        )
        assert {one["key"]: one["value"] for one in first["attributes"]} == {
            "about": letters(said_id(-1)),
            "right": "0.6",
        }
    async with visiting(tmp_path / "other", "analyst") as (_, visitor):
        assert (await visitor.ask("POST", "/desk/data/correction", json=said, headers=OURS))[0] == 403
    assert [row[4] for row in served.written].count("correction") >= 3


async def test_a_cookie_is_a_session_and_a_page_of_another_site_has_none(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (served, visitor):
        assert await visitor.sign_in("wrong") == 401
        assert (await visitor.ask("POST", "/desk/session", json={"token": "ops"}))[0] == 403  # without our header
        assert (await visitor.ask("POST", "/desk/session", data=b"[", headers=OURS))[0] == 422
        assert await visitor.sign_in("ops") == 200
        assert (await visitor.get("/v1/customers/C0000002"))[0] == 200
        body = {"identifiers": ["C0000002"]}
        assert (await visitor.ask("POST", "/v1/lookup", json=body))[0] == 401
        assert (await visitor.ask("POST", "/v1/lookup", json=body, headers=OURS))[0] == 200
        elsewhere = {**OURS, "Origin": "http://evil.example"}
        assert (await visitor.ask("POST", "/v1/lookup", json=body, headers=elsewhere))[0] == 403
        assert (await visitor.ask("DELETE", "/desk/session", headers=OURS))[0] == 204
        assert (await visitor.get("/v1/customers/C0000002"))[0] == 401
        assert served.sessions.find("anything") is None


async def test_files_come_with_a_policy_and_once(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (served, _), ClientSession() as session:
        for path in ("/desk", "/desk/assets/desk.js", "/desk/assets/ur.json"):
            async with session.get(served.url + path) as answer:
                assert (answer.status, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
                assert "unsafe" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["Content-Encoding"] == "gzip"
                tag = answer.headers["ETag"]
            async with session.get(served.url + path, headers={"If-None-Match": tag}) as answer:
                assert answer.status == 304
        for path in ("/desk/assets/routes.py", "/desk/assets/..%2froutes.py"):
            async with session.get(served.url + path) as answer:
                assert answer.status == 404
    assert {"js", "css", "json", "html", "svg"} == set(TYPES)


@pytest.mark.parametrize(("after", "known"), [(IDLE - 1, True), (IDLE, False)])
def test_a_session_ends_when_nobody_uses_it(after: float, known: bool) -> None:
    sessions = Sessions()
    cookie = sessions.begin(Bearer("a", "agent"), 0.0)
    assert (sessions.find(cookie, after) is not None) == known


def test_a_session_ends_after_a_shift_however_much_it_is_used() -> None:
    sessions = Sessions()
    cookie, now = sessions.begin(Bearer("a", "agent"), 0.0), 0.0
    while now + IDLE / 2 < LONGEST:
        now += IDLE / 2
        assert sessions.find(cookie, now) is not None
    assert sessions.find(cookie, LONGEST) is None


def test_lines_of_a_day_are_counted() -> None:
    bearer = Bearer("a", "agent")
    most = LISTED * LOOKUPS["agent"]
    assert bearer.wait_to_list(most, 0.0) == 0.0
    assert bearer.wait_to_list(1, 1.0) > 0.0
    assert bearer.wait_to_list(1, 61.0) == 0.0


def test_a_score_that_rests_on_little_is_left_out_and_units_see_their_own() -> None:
    assert supported({"segment": "a", "n": FEWEST - 1, "nps": 50.0, "margin": 9.0}) == {
        "segment": "a",
        "n": FEWEST - 1,
        "nps": None,
        "margin": None,
    }
    assert supported({"n": FEWEST, "nps": 50.0}) == {"n": FEWEST, "nps": 50.0}


def test_whoever_works_for_some_units_is_held_to_them() -> None:
    own = frozenset((TOWERS, "Madinah Garden"))
    assert filters_of({}, own) == (("unit", ("Madinah Garden", TOWERS)),)
    assert filters_of({"unit": [TOWERS], "country": ["EG", ""]}, own) == (("unit", (TOWERS,)), ("country", ("EG",)))
    assert filters_of({}, None) == ()
    for given in ({"unit": [CORNICHE]}, {"unit": [TOWERS, CORNICHE]}):
        with pytest.raises(ValueError, match="unit"):
            filters_of(given, own)
    with pytest.raises(ValueError, match="no name"):
        filters_of({"brand": [f"a{SEPARATOR}b"]}, None)


def test_a_span_ends_now_or_where_something_was_last_heard() -> None:
    now, day = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)
    assert Asked(7).span(now, now - 2 * day) == (now - 7 * day, now)
    assert Asked(7).span(now, None) == (now - 7 * day, now)
    start, end = Asked(7).span(now, now - 100 * day)
    assert (end - start, now - 100 * day < end) == (7 * day, True)
    given = Asked(7, date(2025, 1, 1), date(2025, 1, 31))
    assert given.span(now, now) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))


async def test_figures_are_held_to_units_and_name_people_to_those_who_may_know_them(tmp_path: Path) -> None:
    async with visiting(tmp_path, "manager") as (served, visitor):
        _, told = await visitor.get("/desk/data/figures?days=30&country=PK")
        assert told["choices"]["unit"] == [TOWERS]
        assert {one["unit"] for one in served.asked if "unit" in one} == {TOWERS}
        assert {one["country"] for one in served.asked if "country" in one} == {"PK"}
        assert (await visitor.get(f"/desk/data/figures?unit={CORNICHE}"))[0] == 403
        for wrong in (
            "days=0",
            "since=2026-01-01",
            "since=2026-02-01&until=2026-01-01",
            "since=x&until=y",
            "since=0001-01-01&until=9999-12-31",
        ):
            assert (await visitor.get(f"/desk/data/figures?{wrong}"))[0] == 422, wrong
        _, found = await visitor.get("/desk/data/people?instrument=nps&high=6")
        assert [one["customer_id"] for one in found["people"]] == ["C0000002", "C0000003"]
        assert served.asked[-1]["unit"] == TOWERS
        for high in ("many", "1_0", "1e308", "inf"):
            assert (await visitor.get(f"/desk/data/people?instrument=nps&high={high}"))[0] == 422
        _, moved = await visitor.get("/desk/data/people?from_profile=advocate&to_profile=negative")
        assert moved["people"][0]["customer_id"] == "C0000002"
        _, told = await visitor.get("/desk/data/figures/map/definition?days=30")
        assert (told["query"], told["parameters"]["unit"]) == ("journey_map", TOWERS)
        assert (await visitor.get("/desk/data/figures/moon/definition"))[0] == 404
    assert {(row[4], row[5]) for row in served.written} == {("figure", "C0000002"), ("figure", "C0000003")}
    async with visiting(tmp_path / "analyst", "analyst") as (_, visitor):
        assert (await visitor.get("/desk/data/figures"))[0] == 200
        assert (await visitor.get("/desk/data/people?instrument=nps"))[0] == 403
        assert (await visitor.get("/desk/data/story"))[0] == 403


async def test_readiness_is_of_my_units_and_quotes_nobody_to_an_analyst(tmp_path: Path) -> None:
    async with visiting(tmp_path, "manager") as (served, visitor):
        assert (await visitor.get("/desk/data/readiness"))[0] == 422
        assert (await visitor.get(f"/desk/data/readiness?unit={CORNICHE}"))[0] == 403
        _, told = await visitor.get(f"/desk/data/readiness?unit={TOWERS}")
        assert (len(told["needs"]), told["with_words"], told["is_past"]) == (9, True, False)
        assert any(one["text"] for one in told["evidence"])
        assert {one["unit"] for one in served.asked if "unit" in one} == {TOWERS}
    async with visiting(tmp_path / "analyst", "analyst") as (_, visitor):
        _, told = await visitor.get(f"/desk/data/readiness?unit={CORNICHE}")
        assert {(one["text"], one["language"]) for one in told["evidence"]} == {(None, None)}


def test_a_definition_names_what_was_asked_for() -> None:
    query = load()["nps"]
    values = query.bind({"unit": f"a{SEPARATOR}b", "by": "unit"})
    told = described(Question("nps", values).statement())
    assert told["parameters"] == {"unit": "a | b", "by": "unit"}
    assert (told["sql"], told["where"]) == (query.text(values), [])


async def test_figures_are_held_to_segments_and_groups_by_conditions(tmp_path: Path) -> None:
    async with visiting(tmp_path, "manager") as (served, visitor):
        before = len(served.asked)
        assert (await visitor.get("/desk/data/figures?days=30&segment=unhappy&group=group:G1"))[0] == 200
        held = [one for one in served.asked[before:] if "where_1_1" in one]
        assert {(one["where_1_1"], one["where_2_1"], one["unit"]) for one in held} == {("unhappy", "group:G1", TOWERS)}
        _, told = await visitor.get("/desk/data/figures/nps/definition?segment=unhappy")
        assert (told["where"], "unhappy" in told["sql"]) == (["segment=unhappy"], False)
    async with visiting(tmp_path / "analyst", "analyst") as (_, visitor):
        _, told = await visitor.get("/desk/data/figures")
        assert told["choices"]["group"] == []
        assert (await visitor.get("/desk/data/figures?segment=unhappy"))[0] == 200
        assert (await visitor.get("/desk/data/figures?group=group:G1"))[0] == 403


async def test_the_story_is_of_one_of_my_units_and_a_day_without_anybody_is_the_nearest(tmp_path: Path) -> None:
    async with visiting(tmp_path, "agent") as (served, visitor):
        _, told = await visitor.get("/desk/data/story")
        assert (told["customer_id"], told["kind"], told["id"], told["unit"]) == ("C0000002", "alert", "prayer", TOWERS)
        today = datetime.now(UTC).date()
        late = (today + timedelta(days=400)).isoformat()
        _, nobody = await visitor.get(f"/desk/data/day?unit={TOWERS}&date={late}")
        assert (nobody["day"], nobody["counts"]["arrivals"]) == (late, 0)
        _, told = await visitor.get(f"/desk/data/day?unit={TOWERS}&date={late}&nearest=true")
        assert (told["day"], told["counts"]["arrivals"]) == (today.isoformat(), 2)
        early = (today - timedelta(days=400)).isoformat()
        _, told = await visitor.get(f"/desk/data/day?unit={TOWERS}&date={early}&nearest=true")
        assert told["counts"]["arrivals"] > 0  # nobody came before: the first day after it
    assert ("story", "C0000002") in {(row[4], row[5]) for row in served.written}
    async with visiting(tmp_path / "none", "nobody") as (_, visitor):
        assert (await visitor.get("/desk/data/story"))[0] == 404
