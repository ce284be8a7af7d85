"""What corrections speak for: lexicon lines for a person to approve."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from streams.cli.score import score
from streams.text.learn import Correction, lines, proposals
from streams.text.scorer import Scorer

SCORER = Scorer(models=False)


def test_a_word_that_corrections_agree_on_is_proposed() -> None:
    some = [
        Correction("The lobby was zonky this morning", -0.8),
        Correction("Zonky corridor on our floor", -0.6),
        Correction("We had a zonky transfer to the hotel", -0.7),
    ]
    (first, *_) = proposals(SCORER, some)
    assert (first.file, first.term, first.listed) == ("en", "zonky", None)
    assert -2.5 <= first.valence < 0
    assert len(first.texts) == 3
    told = list(lines([first]))
    assert told[0] == "# streams/text/lexicons/en.txt"
    assert told[1].startswith(f"{first.valence:g}: zonky  # new; 3 texts, p = 0.125: ")


def test_a_listed_word_that_misleads_is_proposed_as_neutral() -> None:
    some = [
        Correction("The fortress is an awful lot of stone", 0.0),
        Correction("An awful long wall, built of stone", 0.0),
    ]
    found = {one.term: one for one in proposals(SCORER, some)}
    assert found["awful"].valence == 0.0
    assert (found["awful"].listed or 0.0) < 0


def test_where_corrections_disagree_or_are_one_nothing_is_proposed() -> None:
    assert proposals(SCORER, [Correction("zonky hall", -0.8), Correction("zonky hall again", 0.8)]) == []
    assert proposals(SCORER, [Correction("zonky hall", -0.8)]) == []
    assert (
        proposals(SCORER, [Correction("excellent hotel", SCORER.score_one("excellent hotel", None).score or 0)] * 3)
        == []
    )


def test_the_command_proposes_and_changes_nothing(tmp_path: Path) -> None:
    lexicon = Path(__file__).parents[2] / "streams" / "text" / "lexicons" / "en.txt"
    before = lexicon.read_bytes()
    file = tmp_path / "given.jsonl"
    texts = ["The lobby was zonky this morning", "We had a zonky transfer to the hotel"]
    file.write_text("".join(f'{{"text": "{text}", "right": -0.8}}\n' for text in texts) + "nonsense\n")
    done = CliRunner().invoke(score, ["--learn", str(file)])
    assert ": zonky  # new; 2 texts" in done.output
    assert "2 corrections, 1 lines that are none" in done.output
    assert lexicon.read_bytes() == before
