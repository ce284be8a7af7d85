"""Reports: periods, what counts as a change, what moved the mood, and pages in two directions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from streams.model.vocabulary import ASPECTS
from streams.report.content import Change, content, drivers_of
from streams.report.evidence import evidence, pack
from streams.report.page import page
from streams.report.parts import LANGUAGES, texts
from streams.report.period import Period, PeriodError, periods

HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("text", "since", "until", "before"),
    [
        ("2026", "2026-01-01", "2027-01-01", "2025-01-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01", "2025-10-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01", "2026-07-01"),
        ("2026-01", "2026-01-01", "2026-02-01", "2025-12-01"),
        ("2024-02-29/2024-03-01", "2024-02-29", "2024-03-02", "2024-02-27"),
    ],
)
def test_a_period_and_the_one_before_it(text: str, since: str, until: str, before: str) -> None:
    now, was = periods(text)
    assert now == Period(date.fromisoformat(since), date.fromisoformat(until))
    assert was == Period(date.fromisoformat(before), now.since)


@pytest.mark.parametrize("text", ["", "2026-13", "2026-Q5", "2026-03-02/2026-03-01", "March", "0000", "2026-03-01"])
def test_what_is_no_period_is_refused_with_what_would_do(text: str) -> None:
    with pytest.raises(PeriodError, match="no period"):
        periods(text)


def test_only_what_is_larger_than_its_margins_is_a_change() -> None:
    """sqrt(3^2 + 4^2) = 5."""
    assert Change("nps", 90, 20.0, 3.0, 14.0, 4.0).is_real
    assert not Change("nps", 90, 19.0, 3.0, 14.0, 4.0).is_real
    assert not Change("nps", 90, 19.0, None, 4.0, 4.0).is_real


def test_what_each_aspect_adds_sums_to_the_change() -> None:
    """Before: 10 of prayer at 0.5, 10 of staff at 0.5: mean 0.5. Now: 30 at -0.5, 10 at 0.5: mean -0.25."""
    mood, drivers = drivers_of(
        [{"aspect": "prayer", "scored": 30, "score": -0.5}, {"aspect": "staff", "scored": 10, "score": 0.5}],
        [{"aspect": "prayer", "scored": 10, "score": 0.5}, {"aspect": "staff", "scored": 10, "score": 0.5}],
    )
    assert mood == pytest.approx(-0.75)
    assert [(one.aspect, round(one.effect, 3)) for one in drivers] == [("prayer", -0.625), ("staff", -0.125)]
    assert drivers_of([], [])[0] is None


def answered(name: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the queries; the period before is 2025-Q4."""
    now = given.get("since", "").startswith("2026")
    if name in ("nps", "csat", "ces"):
        return [{"n": 90, name: 12.0 if now else 31.0, "margin": 4.0}] if name != "ces" else []
    if name == "aspects":
        return [{"aspect": "prayer", "scored": 30, "score": -0.5 if now else 0.25}]
    if name == "journey_map":
        return [{"volume": 1234}]
    if name == "calls":
        row = {"journey_id": "C1/B1", "customer_id": HOSTILE, "status": "in_stay", "cases_open": 1, "sentiment": -0.5}
        return [{**row, "lowest_touchpoint": "stay.complaint_made", "nps": None}]
    if name == "profile_change":
        return [{"from_profile": "advocate", "to_profile": "negative", "customers": 3}]
    if name == "halal_readiness":
        known: dict[str, Any] = {"share": 0.61, "low": 0.23, "high": 0.98, "experiences": 2, "against": 1}
        known["last_at"] = datetime(2026, 3, 1)
        none = {**dict.fromkeys(("share", "low", "high", "last_at")), "experiences": 0, "against": 0}
        return [
            {"need": "halal_food", "importance": "need", **known},
            {"need": "social_causes", "importance": "good", **none},
        ]
    if name == "readiness_evidence":
        piece = {"need": "prayer", "at": datetime(2026, 3, 2, 9), "local_time": "2026-03-02 12:00:00", "well": 0.1}
        piece |= {"prayer_window": "dhuhr", "touchpoint": "stay.complaint_made", "weight": 0.97, "language": HOSTILE}
        return [{**piece, "text": HOSTILE}, {**piece, "prayer_window": "", "text": None}]
    if name == "prayer_times":
        times = dict.fromkeys(("fajr", "dhuhr", "asr", "maghrib", "isha"), "05:26")
        return [{"date": date(2026, 3, 2), "ramadan": 1, "timezone": "Asia/Riyadh", **times}]
    if name == "cases":
        case = {"cases": 9, "open": 2, "response_hours": 1.5, "resolve_hours": None, "first_contact": 50.0, "told": 0.0}
        return [{"segment": given["by"] if given["by"] == "all" else HOSTILE, **case}]
    return [{"touchpoint": "stay.complaint_made", "compared": 7, "before": -0.4, "after": 0.2, "change": 0.6}]


class Asks(HTMLParser):
    """What a page would ask for, and what of it is a script."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action", "srcset")]
        self.asked += [tag] if tag in ("script", "link", "iframe", "img") else []


@pytest.mark.parametrize("language", ["en", "ar", "id", "tr", "ur", "fr"])
def test_every_aspect_has_a_word_in_every_language(language: str) -> None:
    """Of the desk, which the report shares."""
    said = texts("streams.serve.desk.page", f"{language}.json")
    assert [aspect for aspect in ASPECTS if not said.get(f"aspect.{aspect}")] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("unit", ["", HOSTILE])
def test_a_page_is_whole_and_says_what_changed(language: str, unit: str) -> None:
    told = content(answered, *periods("2026-Q1"), unit)
    text = page(told, language, datetime(2026, 4, 1, tzinfo=UTC))
    reader = Asks()
    reader.feed(text)
    assert reader.asked == []  # it asks for nothing, and runs nothing
    assert f'<html lang="{language}" dir="{LANGUAGES[language]}">' in text
    assert "<script" not in text
    assert "1,234" in text
    assert "2026-03-31" in text
    said = {"en": "Net Promoter Score fell by 19. ", "ar": "بمقدار 19."}[language]
    assert said in text
    assert {"en": "What pulled the mood down most: Prayer.", "ar": "الصلاة"}[language] in text
    assert ("+0.60" in text) == (unit == "")  # what resolutions did is known for all units together alone
    assert ("61% (23% – 98%)" in text) == (unit != "")  # halal readiness is a unit's
    assert "{" not in text.partition("</style>")[2]  # nothing was left unsaid


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_evidence_of_a_unit_is_a_page_to_print(language: str) -> None:
    """Needs with their intervals, times of prayer, and what guests said, for those to whom it may be shown."""
    made_at = datetime(2026, 4, 1, tzinfo=UTC)
    told, silent = (pack(evidence(answered, HOSTILE, date(2026, 4, 1), shown), language, made_at) for shown in (1, 0))
    for text in (told, silent):
        reader = Asks()
        reader.feed(text)
        assert (reader.asked, "<script" in text, "{" in text.partition("</style>")[2]) == ([], False, False)
        assert f'<html lang="{language}" dir="{LANGUAGES[language]}">' in text
        assert all(one in text for one in ("61% (23% – 98%)", "05:26", "Asia/Riyadh", "0.97", "2026-03-02 12:00"))
    assert (told.count("<blockquote"), silent.count("<blockquote")) == (1, 0)
    nothing = pack(evidence(lambda name, given: [], "U", date(2026, 4, 1), True), language, made_at)
    assert "<table" not in nothing


def test_nothing_known_is_a_page_too() -> None:
    told = content(lambda name, given: [], *periods("2026-03"))
    assert "Too little was said" in page(told, "en", datetime(2026, 4, 1, tzinfo=UTC))
