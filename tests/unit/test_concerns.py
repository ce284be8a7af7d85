"""What must never wait: found in held-out sentences of six languages, and not in quiet ones; what is raised."""

from __future__ import annotations

import random
import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.text.concerns import CONCERNS, LONGEST, concerns, found_in, patterns, plain
from streams.text.normalise import clean
from tests.support.alert_worlds import World, event

HELD_OUT: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "data" / "concerns.toml").read_text("utf-8")
)
LANGUAGES = ("en", "ar", "id", "tr", "ur", "fr")


@pytest.mark.parametrize("language", LANGUAGES)
def test_recall_on_held_out_sentences(language: str) -> None:
    some = [(name, said) for name in CONCERNS if name in HELD_OUT for said in HELD_OUT[name][language]]
    missed = [(name, said) for name, said in some if name not in concerns(said)]
    assert len(missed) <= 0.05 * len(some), missed


def test_what_the_page_says_of_unseen_wording_holds() -> None:
    """No aim: a measure, so that nobody takes the patterns for more than they are."""
    file = Path(__file__).parent / "data" / "concerns_unseen.toml"
    said = [one for some in tomllib.loads(file.read_text("utf-8")).values() for one in some]
    found = sum(bool(concerns(one)) for one in said)
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
    assert f"of {len(said)} written after them, in words chosen to be others (`concerns_unseen.toml`), {found}," in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_quiet(language: str) -> None:
    assert {said: concerns(said) for said in HELD_OUT["quiet"][language] if concerns(said)} == {}


UNSEEN: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parent / "data" / "concerns_unseen.toml").read_text("utf-8")
)
WRITTEN = [
    *(said for name in HELD_OUT.values() for some in name.values() for said in some),
    *(said for some in UNSEEN.values() for said in some),
]


@cache
def _whole() -> dict[tuple[str, str], re.Pattern[str]]:
    """All patterns of a concern and a script in one, as they stand in the file."""
    said = tomllib.loads(files("streams.text.lexicons").joinpath("concerns.toml").read_text("utf-8"))
    words = said.pop("words")
    found: dict[tuple[str, str], list[str]] = {}
    for name, languages in said.items():
        for language, some in languages.items():
            for pattern in some:
                for word, meaning in words.get(language, {}).items():
                    pattern = pattern.replace(f"<{word}>", meaning)
                pattern = plain(pattern).replace("~", r"(?:[^.!?\n]{0,60}?)")
                script = "arabic" if re.search("[\u0621-\u064a]", pattern) else "latin"
                found.setdefault((name, script), []).append(f"(?:{pattern})")
    joined = {"latin": "", "arabic": "[وفبلك]{0,2}(?:ال)?[يتنا]?"}
    return {key: re.compile(rf"\b{joined[key[1]]}(?:{'|'.join(some)})") for key, some in found.items()}


def _by_patterns(text: str) -> frozenset[str]:
    """What the patterns find in a text, before the classifier is asked."""
    said = plain(text[:LONGEST])
    return frozenset(found_in(patterns(), said, said.split()))


def _by_all(text: str) -> frozenset[str]:
    """What the patterns find in a text when every pattern is looked for in it."""
    said = plain(text[:LONGEST])
    scripts = [
        script for script, letters in (("latin", "[a-z]{2}"), ("arabic", "[\u0621-\u064a]")) if re.search(letters, said)
    ]
    return frozenset(name for (name, script), one in _whole().items() if script in scripts and one.search(said))


def test_looking_for_likely_patterns_only_misses_nothing() -> None:
    """In the sentences, and in mixtures of their parts."""
    chance = random.Random(24)
    texts = list(WRITTEN)
    for _ in range(400):
        words = [word for said in chance.sample(WRITTEN, 3) for word in said.split()]
        begin = chance.randrange(len(words))
        text = chance.choice([" ", " ", "  ", "\n", ", ", "-"]).join(words[begin : begin + chance.randint(1, 40)])
        texts.append(chance.choice([str, str.upper, str.title])(text))
    assert {text: _by_patterns(text) for text in texts} == {text: _by_all(text) for text in texts}
    assert sum(map(bool, map(_by_patterns, texts))) > 300


@settings(max_examples=100)
@given(st.data())
def test_what_a_pattern_matches_is_looked_at(data: st.DataObject) -> None:
    text = (
        data.draw(st.text(max_size=5))
        + " "
        + data.draw(st.from_regex(data.draw(st.sampled_from(patterns().all)).written))
    )
    assert _by_patterns(text) == _by_all(text)


@given(st.text(alphabet=st.sampled_from("aZéÉşŞıİIßœç’`ʼأىۃھ\u0301\u0327\u0654\u064bﷺﬁＡ ñžğ\u05b0\u094d\u3099か")))
def test_plain_by_another_way(text: str) -> None:
    """Letter by letter."""
    others = str.maketrans({"ı": "i", "ş": "s", "ß": "ss", "œ": "oe", "’": "'", "`": "'", "ʼ": "'"})
    letters = str.maketrans("أإآٱىیےةۃہھۂکؤئ", "اااايييهههههكوي")
    said = clean(text).replace("İ", "i").lower().translate(others)
    if not said.isascii():
        said = unicodedata.normalize("NFC", said).translate(letters).translate(others)
        if any("ÿ" >= letter >= "à" or "ā" <= letter <= "ž" for letter in said):
            said = "".join(one for one in unicodedata.normalize("NFKD", said) if not unicodedata.combining(one))
    assert plain(text) == said


def test_a_long_text_takes_bounded_work() -> None:
    assert concerns("nice " * 200_000) == frozenset()
    assert concerns("my mother " * LONGEST) == concerns("my mother " * (LONGEST // 10))


@pytest.mark.parametrize("rule", ["medical", "safety", "lost_member", "child", "privacy", "harassment", "threat"])
def test_each_raises_at_once(rule: str) -> None:
    world = World()
    world.take([event(1, 0, "stay.service_requested", text=HELD_OUT[rule]["en"][0], language="en", unit="HTL")])
    assert rule in world.open()
    (alert,) = [one for one in world.alerts.values() if one["rule"] == rule]
    assert (alert["severity"], alert["unit"]) == ("high" if rule == "threat" else "critical", "HTL")


def test_a_lost_member_and_a_mother_who_fainted() -> None:
    world = World()
    world.take([event(1, 0, "stay.group_member_lost")])
    assert "lost_member" in world.open()
    world = World()
    world.take([event(2, 0, "stay.complaint_made", text="my mother fainted, nobody came", language="en")])
    assert "medical" in world.open()


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ({"touchpoint": "stay.complaint_made"}, True),
        ({"touchpoint": "post_travel.social_mention", "reach": 5000}, True),
        ({"touchpoint": "stay.service_requested", "case_id": "K-1"}, True),
        ({"touchpoint": "post_travel.social_mention", "reach": 5}, False),
        ({"touchpoint": "stay.complaint_made", "language": "en"}, False),
        ({"touchpoint": "stay.complaint_made", "text": "!!! 123"}, False),
        ({"touchpoint": "stay.complaint_made", "text": None}, False),
    ],
)
def test_a_text_that_nobody_understands(said: dict[str, Any], raised: bool) -> None:
    world = World()
    world.take([event(1, 0, said.pop("touchpoint"), **{"text": "Das Zimmer war kalt", "language": None, **said})])
    assert ("unread" in world.open()) == raised
