"""French and German: sentences written before the lexicons (tests/sentences/held_out/), label and text a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.text.scorer import Scorer

SENTENCES = Path(__file__).parent.parent / "sentences" / "held_out"
SIGN = {"+": 1, "-": -1, "0": 0}


@pytest.mark.parametrize("language", ["de", "fr"])
def test_sentences_written_before_the_lexicon(language: str) -> None:
    rows = [line.split("\t") for line in (SENTENCES / f"{language}.tsv").read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 56
    scorer = Scorer()
    found = [scorer.score_one(text, None) for _, text in rows]
    wrong = [
        text
        for (label, text), one in zip(rows, found, strict=True)
        if (0 if one.score is None else (one.score > 0) - (one.score < 0)) != SIGN[label]
    ]
    assert 1 - len(wrong) / len(rows) >= 0.9, wrong
    assert sum(one.language == language for one in found) / len(rows) >= 0.9


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("La chambre n'était pas propre", -1),
        ("Pas de retard, aucun problème", 1),
        ("L'hôtel n'est pas loin du Haram", 1),
        ("Le seul bémol : l'ascenseur en panne, sinon séjour magnifique", 1),
        ("chambre deja sale, personnel desagreable", -1),
        ("Das Zimmer war nicht sauber", -1),
        ("Die Klimaanlage funktioniert nicht", -1),
        ("Keine Probleme, alles bestens", 1),
        ("Das Hotel hat uns leider nicht gefallen", -1),
    ],
)
def test_negation(text: str, sign: int) -> None:
    one = Scorer().score_one(text, None)
    assert one.score is not None
    assert (one.score > 0) - (one.score < 0) == sign
