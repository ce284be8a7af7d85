"""guests.toml: what guests are asked and told, when, in which words, and what of it needs their consent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Final, Literal, cast

from msgspec import Meta, field

from streams.model.durations import milliseconds
from streams.model.forms import Duration, Form, Word
from streams.model.prayer import LONGEST_PAUSE, USUAL_METHOD, Method, Place
from streams.model.vocabulary import ASPECTS
from streams.model.zones import is_zone

LANGUAGES: Final = ("en", "ar", "id", "ms", "tr", "ur")
"""In which guests are written to, and answer."""
QUESTIONS: Final = ("nps", "csat", "ces", "open")
HOURS = "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"
KINDS: Final = ("invitation", "resolved", "mended")
"""What is written, by the occasion."""
_PLACES: Final = frozenset({"unit", "aspect", "date", "done", "link"})

Question = Literal["nps", "csat", "ces", "open"]
Language = Literal["en", "ar", "id", "ms", "tr", "ur"]
Asked = Literal["given", "unsaid"]


class InvitationForm(Form, frozen=True):
    """Who is asked, what, and when."""

    name: Annotated[Word, Meta(description="What people call it")]
    after: Annotated[list[str], Meta(min_length=1, description="Touchpoints after which guests are asked")]
    delay: Annotated[Duration, Meta(description="How long after it")] = "2h"
    sample: Annotated[float, Meta(gt=0, le=1, description="Share of journeys asked, by a hash of the journey's id")] = (
        1.0
    )
    ask: Annotated[tuple[Question, ...], Meta(description="The questions of the page, in their order")] = (
        "nps",
        "open",
    )
    expires: Annotated[Duration, Meta(description="How long its link may be answered")] = "14d"


class ConsentForm(Form, frozen=True):
    """What may be written to a guest who has said nothing: given asks for consent, unsaid for none."""

    survey: Asked = "given"
    follow_up: Asked = "unsaid"


class PlaceForm(Form, frozen=True):
    """Where a unit is, by which its times of prayer are reckoned."""

    latitude: Annotated[float, Meta(ge=-90, le=90, description="Degrees, north positive")]
    longitude: Annotated[float, Meta(ge=-180, le=180, description="Degrees, east positive")]
    method: Annotated[Method, Meta(description="How its times of prayer are reckoned")] = USUAL_METHOD


class GuestsForm(Form, frozen=True):
    """guests.toml: guests, asked and told."""

    invitation: tuple[InvitationForm, ...] = ()
    zone: Annotated[str, Meta(description="IANA time zone of units that are in no list of zones")] = "UTC"
    zones: Annotated[dict[str, str], Meta(description="Unit, or pattern of units: its IANA time zone")] = field(
        default_factory=dict
    )
    quiet: Annotated[
        Annotated[str, Meta(pattern=HOURS)] | None, Meta(description="Hours in which nobody is written to: 21:00-09:00")
    ] = None
    prayer: Annotated[
        Duration | None,
        Meta(description="How long after each time of prayer nobody is written to: 30m, an hour at most"),
    ] = None
    places: Annotated[
        dict[str, PlaceForm], Meta(description="Unit, or pattern of units: where it is, for times of prayer")
    ] = field(default_factory=dict)
    language: Annotated[Language, Meta(description="Of guests whose language is not known")] = "en"
    channel: Annotated[Word, Meta(description="By which guests are written to who have written by no other")] = "email"
    every: Annotated[Duration, Meta(description="At most one invitation to a person in this time")] = "30d"
    lapses: Annotated[Duration, Meta(description="What could not be sent for so long is not sent any more")] = "3d"
    consent: ConsentForm = ConsentForm()
    texts: Annotated[
        dict[Literal["invitation", "resolved", "mended"], dict[Language, str]],
        Meta(description="What is written, by occasion and language"),
    ] = field(default_factory=dict)
    words: dict[Language, dict[Literal["aspect", "unit", "done"], str]] = field(default_factory=dict)
    aspects: Annotated[dict[Language, dict[str, str]], Meta(description="What aspects are called, by language")] = (
        field(default_factory=dict)
    )


class GuestsError(ValueError):
    """What is wrong; `path` says where (streams.model.places)."""

    def __init__(self, problem: str, table: str | None = None, number: int = 0, key: str | None = None) -> None:
        super().__init__(problem)
        self.path = (table, number if table == "invitation" else None, key)


@dataclass(frozen=True, slots=True)
class Survey:
    """One occasion to ask. Durations in ms."""

    name: str
    after: frozenset[str]
    delay: int
    sample: float
    ask: tuple[str, ...]
    expires: int


@dataclass(frozen=True, slots=True)
class Guests:
    """What guests are asked and told. Durations in ms. quiet: minutes of the day from when until when; None: never.
    prayer: how long after each time of prayer nobody is written to; 0: nobody waits for it. places: unit, or pattern of
    units, and where it is."""

    surveys: tuple[Survey, ...]
    zone: str
    zones: tuple[tuple[str, str], ...]
    quiet: tuple[int, int] | None
    language: str
    channel: str
    every: int
    lapses: int
    unsaid: Mapping[str, bool]
    """Purpose: whether a guest may be written to who has said nothing about it."""
    texts: Mapping[str, Mapping[str, str]]
    words: Mapping[str, Mapping[str, str]]
    aspects: Mapping[str, Mapping[str, str]]
    prayer: int = 0
    places: tuple[tuple[str, Place], ...] = ()


def checked(form: GuestsForm, touchpoints: Mapping[str, object], own: Guests | None) -> Guests:
    """The settings of a file. touchpoints: of the model. own: whose texts hold where the file has none; None where it
    must have all. Raises GuestsError."""
    surveys: list[Survey] = []
    for at, one in enumerate(form.invitation):
        if any(known.name == one.name for known in surveys):
            raise GuestsError(f"the invitation {one.name!r} is there twice", "invitation", at, "name")
        for name in one.after:
            if name not in touchpoints:
                raise GuestsError(f"{name!r} is no touchpoint of the model", "invitation", at, "after")
        if not one.ask or len({*one.ask}) < len(one.ask):
            raise GuestsError("asks nothing, or a question twice", "invitation", at, "ask")
        delay, expires = _ms(one.delay), _ms(one.expires)
        surveys.append(Survey(one.name, frozenset(one.after), delay, one.sample, one.ask, expires))
    for zone, table, key in [(form.zone, None, "zone"), *((zone, "zones", unit) for unit, zone in form.zones.items())]:
        if not is_zone(zone):
            raise GuestsError(f"{zone!r} is no IANA time zone, as Asia/Riyadh is", table, 0, key)
    prayer = 0 if form.prayer is None else _ms(form.prayer)
    if prayer > LONGEST_PAUSE:
        raise GuestsError(f"{form.prayer!r} is longer than an hour", "prayer")
    if prayer and not form.places:
        raise GuestsError("needs [places], by which times of prayer are reckoned", "prayer")
    for kind, texts in form.texts.items():
        for language, text in texts.items():
            _check_text(kind, language, text)
    for language, names in form.aspects.items():
        if odd := next((name for name in names if name not in ASPECTS), None):
            raise GuestsError(f"{odd!r} is no aspect", "aspects", 0, language)
    known = own.texts if own is not None else {}
    texts_ = {kind: {**known.get(kind, {}), **form.texts.get(cast("Literal['resolved']", kind), {})} for kind in KINDS}
    words_: dict[str, Mapping[str, str]] = {**(own.words if own is not None else {})}
    words_ |= {language: {str(key): said for key, said in one.items()} for language, one in form.words.items()}
    aspects_: dict[str, Mapping[str, str]] = {**(own.aspects if own is not None else {})}
    aspects_ |= {language: {**one} for language, one in form.aspects.items()}
    missing = [f"{kind}.{language}" for kind in KINDS for language in LANGUAGES if language not in texts_[kind]]
    if missing:
        raise GuestsError(f"there is no text {missing[0]}", "texts")
    return Guests(
        tuple(surveys),
        form.zone,
        tuple(form.zones.items()),
        None if form.quiet is None else _minutes(form.quiet),
        form.language,
        form.channel,
        _ms(form.every),
        _ms(form.lapses),
        {"survey": form.consent.survey == "unsaid", "follow_up": form.consent.follow_up == "unsaid"},
        texts_,
        words_,
        aspects_,
        prayer,
        tuple((unit, Place(one.latitude, one.longitude, one.method, "")) for unit, one in form.places.items()),
    )


def _check_text(kind: str, language: str, text: str) -> None:
    try:
        places = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise GuestsError(f"{error}", f"texts.{kind}", 0, language) from None
    if odd := sorted(places - _PLACES):
        raise GuestsError(f"there is no {{{odd[0]}}} to fill in", f"texts.{kind}", 0, language)
    if ("link" in places) != (kind == "invitation"):
        raise GuestsError("{link} is for invitations, and they need it", f"texts.{kind}", 0, language)


def _minutes(hours: str) -> tuple[int, int]:
    first, second, third, fourth = (int(one) for one in re.findall(r"\d\d", hours))
    return first * 60 + second, third * 60 + fourth


def _ms(text: str) -> int:
    length = milliseconds(text)
    assert length is not None, "the form has checked"
    return length
