"""Intents, emotion, effort and urgency: what the card says of the sentences holds, and what each rule does."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from streams.cli.score import score
from streams.text.intents import EMOTIONS, INTENTS, Reading, read_intents
from streams.text.scorer import Scorer

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "ar", "id", "tr", "ur", "fr")
SCORER = Scorer()


def rows(name: str) -> list[tuple[str, set[str], str | None, bool, Reading]]:
    """Language, intents, emotion and effort as a person sees them, and what is read."""
    lines = (ROOT / "tests" / "sentences" / "intents" / f"{name}.tsv").read_text("utf-8").splitlines()[1:]
    parts = [line.split("\t") for line in lines]
    scores = SCORER.score([text for *_, text in parts])
    return [
        (
            language,
            set() if intents == "-" else set(intents.split(",")),
            None if emotion == "-" else emotion,
            effort != "-",
            read_intents(text, found and found.score),
        )
        for (language, intents, emotion, effort, text), found in zip(parts, scores, strict=True)
    ]


def test_there_are_enough_sentences_in_each_language() -> None:
    for name, least in (("held_out", 36), ("unseen", 15)):
        said = [one[0] for one in rows(name)]
        assert {language: said.count(language) >= least for language in LANGUAGES} == dict.fromkeys(LANGUAGES, True)


@pytest.mark.parametrize("name", ["held_out", "unseen"])
def test_what_the_model_card_says_of_them_holds(name: str) -> None:
    card = (ROOT / "docs" / "text-model-card.md").read_text("utf-8")
    some = rows(name)
    for kind in (*INTENTS[1:2], *INTENTS[3:], *EMOTIONS, "effort"):  # complaint and praise move with the scorer
        truth = [kind in one[1] or kind == one[2] or (kind == "effort" and one[3]) for one in some]
        found = [
            kind in one[4].intents or kind == one[4].emotion or (kind == "effort" and one[4].effort) for one in some
        ]
        if not any(truth):  # threat: see concerns
            continue
        right = sum(both for both in map(all, zip(truth, found, strict=True)))
        line = f"| {name} | `{kind}` | {right} of {sum(truth)} | {sum(found) - right} of {len(some) - sum(truth)} |"
        assert line in card, line


def test_what_says_nothing_is_empty() -> None:
    assert read_intents("Room 814, two nights.") == Reading((), None, False, False)
    assert read_intents("") == Reading((), None, False, False)


def test_a_score_is_enough_for_complaint_and_praise_but_not_for_a_question() -> None:
    assert read_intents("zonk", -0.5).intents == ("complaint",)
    assert read_intents("zonk", 0.5).intents == ("praise",)
    assert read_intents("Is the breakfast good?", 0.5).intents == ("question",)
    assert read_intents("thank you", -0.4).intents == ("complaint",)


def test_urgent_is_what_may_cost_a_life() -> None:
    assert read_intents("My mother fainted, please send an ambulance").urgent
    read = read_intents("I will sue you and call the newspapers")
    assert "threat" in read.intents
    assert not read.urgent


def test_the_command_tells_them() -> None:
    asked = orjson.dumps({"text": "Third time I call, I am furious. Let me talk to a real person"}) + b"\n"
    (line,) = CliRunner().invoke(score, input=asked).stdout.splitlines()
    told = orjson.loads(line)
    assert (told["emotion"], told["effort"], told["urgent"]) == ("anger", True, False)
    assert "human" in told["intents"]
    assert told["concerns"] == []
