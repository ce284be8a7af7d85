"""The routes of figures: the overview, with definitions and the customers behind it, and halal readiness."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from streams.serve import tokens
from streams.serve.api import Api
from streams.serve.asked import Problem, day_asked
from streams.serve.desk.figures import BEHIND, MOST_PEOPLE, QUERIES, Asked, Figures, FiguresUnavailableError, filters_of
from streams.serve.desk.readiness import readiness_of
from streams.serve.tokens import Bearer

FIGURE_ROUTES = (
    "/desk/data/figures",
    "/desk/data/figures/{figure}/definition",
    "/desk/data/people",
    "/desk/data/readiness",
)
LONGEST_VALUE = 200
_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,6})?")

Listed = Callable[[Bearer, str, Collection[str]], None]
"""Records who was listed. Raises Problem."""


class FigureRoutes:
    """Adds them to an API. figures: None: there is no ClickHouse."""

    def __init__(self, api: Api, figures: Figures | None, listed: Listed) -> None:
        self._api, self._figures, self._listed = api, figures, listed
        works = (self._numbers, self._definition, self._people, self._readiness)
        for path, work in zip(FIGURE_ROUTES, works, strict=True):
            api.app.router.add_get(path, api.counted(path, _or_later(work)))

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        bearer, figures, asked = self._asked(request)
        told = await figures.read(asked)
        if not bearer.may(tokens.CUSTOMER):
            told = {**told, "choices": {**told["choices"], "group": []}}
        if bearer.units is not None:
            told = {**told, "choices": {**told["choices"], "unit": sorted(bearer.units)}}
        return json(told)

    async def _definition(self, request: web.Request) -> web.StreamResponse:
        _, figures, asked = self._asked(request)
        if (figure := request.match_info["figure"]) not in QUERIES:
            raise Problem(404, "there is no such figure")
        return json(await figures.definition(figure, asked))

    async def _people(self, request: web.Request) -> web.StreamResponse:
        """The customers behind a figure: each counts as a look-up."""
        bearer, figures, asked = self._asked(request)
        self._api.bearer(request, tokens.CUSTOMER)
        known = [name for names in BEHIND.values() for name in names]
        behind = {name: request.query[name] for name in known if request.query.get(name)}
        if any(len(value) > LONGEST_VALUE for value in behind.values()) or not _are_numbers(behind, ("low", "high")):
            raise Problem(422, "this names no figure")
        rows = await figures.people(asked, behind)
        people = [{**row, "customer_id": row.get("customer_id", row.get("segment"))} for row in rows]
        self._listed(bearer, "figure", dict.fromkeys(one["customer_id"] for one in people))
        return json({"people": people, "most": MOST_PEOPLE})

    async def _readiness(self, request: web.Request) -> web.StreamResponse:
        """Halal readiness of a unit; what guests said, to those who may see customers."""
        bearer = self._api.bearer(request, tokens.FIGURES)
        unit = unit_asked(request, bearer)
        return json(await readiness_of(self._source(), unit, bearer.may(tokens.CUSTOMER)))

    def _source(self) -> Figures:
        if self._figures is None:
            raise Problem(503, "there is no ClickHouse to ask")
        return self._figures

    def _asked(self, request: web.Request) -> tuple[Bearer, Figures, Asked]:
        """The bearer, the scope and the source of a request for figures."""
        bearer, figures = self._api.bearer(request, tokens.FIGURES), self._source()
        query = request.query
        try:
            days = int(query.get("days", "90"))
        except ValueError:
            days = 0
        if not 1 <= days <= 3660:
            raise Problem(422, "days must be a number from 1 to 3660")
        since, until = (day_asked(request, name) if name in query else None for name in ("since", "until"))
        if (since is None) != (until is None) or (since is not None and until is not None and since > until):
            raise Problem(422, "say both since and until, the earlier first")
        try:
            filters = filters_of({name: query.getall(name, []) for name in query}, bearer.units)
        except ValueError as error:
            raise Problem(403 if "unit" in str(error) else 422, str(error)) from None
        if "group" in dict(filters) and not bearer.may(tokens.CUSTOMER):
            raise Problem(403, "groups are of those who may see customers")
        return bearer, figures, Asked(days, since, until, filters)


def _or_later(work: Handler) -> Handler:
    """The handler; where ClickHouse does not answer, its Problem says when to ask again."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await work(request)
        except FiguresUnavailableError as error:
            raise Problem(503, str(error), {"Retry-After": "5"}) from None

    return answered


def json(told: Mapping[str, Any]) -> web.Response:
    """An answer that no cache keeps."""
    return web.Response(
        body=orjson.dumps(told, option=orjson.OPT_NAIVE_UTC),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def unit_asked(request: web.Request, bearer: Bearer) -> str:
    """The unit that is asked for. Raises Problem for none, and for one that the bearer may not see."""
    unit = request.query.get("unit", "")
    if not unit or len(unit) > LONGEST_VALUE:
        raise Problem(422, "say which unit")
    if not bearer.may_see(unit):
        raise Problem(403, "this unit is not one of yours")
    return unit


def _are_numbers(given: Mapping[str, str], names: Iterable[str]) -> bool:
    """Whether all of these parameters that are given are numbers, as ClickHouse reads them."""
    return all(_NUMBER.fullmatch(given[name]) for name in names if name in given)
