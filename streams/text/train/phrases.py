"""Fill in the made-up sentences of a phrase file: `{a|b}` is a choice, a known name is filled from its list."""

from __future__ import annotations

import random
import re
from importlib.resources import files

FILLERS = {
    "city": "boston denver dallas chicago houston miami jfk lax ewr phl dfw ord atlanta london dubai jeddah istanbul "
    "cancun vegas orlando seattle austin newark charlotte phoenix nashville",
    "n": "2 3 4 5 6 10 20 30 45 50 90 two three four",
    "day": "monday tuesday friday saturday sunday march april may june july october december",
    "flight": "flight the flight my flight 1234 ua455 aa1701 dl88 sv112 gate",
    "who": "@airline @airline the airline @airline my family you",
    "thing": "guitar stroller skis wheelchair bag dog cat laptop peanuts infant wine surfboard "
    "lounge upgrade baggage points",
}
_CHOICE = re.compile(r"\{([^{}]*)\}")


def load(name: str) -> dict[int, list[str]]:
    """The phrases of a file, by class."""
    found: dict[int, list[str]] = {}
    label = 0
    for line in (files("streams.text.train") / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            label = int(line.strip("[]"))
        elif line.strip() and not line.startswith("#"):
            found.setdefault(label, []).append(line.strip())
    return found


def fill(phrase: str, chance: random.Random) -> str:
    """One sentence from a phrase, its choices made from the innermost outwards."""

    def choose(match: re.Match[str]) -> str:
        inner = match[1]
        if "|" in inner:
            inner = chance.choice(inner.split("|"))
        return chance.choice(FILLERS[inner].split()) if inner in FILLERS else inner

    while _CHOICE.search(phrase):
        phrase = _CHOICE.sub(choose, phrase)
    return " ".join(phrase.split())


def texts(name: str, per_class: int, seed: int) -> list[tuple[str, int]]:
    """`per_class` texts of each class: one sentence or two; a complaint or praise may come with a neutral sentence."""
    chance = random.Random(seed)
    phrases = load(name)
    made = []
    for label in sorted(phrases):
        for _ in range(per_class):
            parts = [fill(chance.choice(phrases[label]), chance)]
            if chance.random() < 0.5:
                other = label if chance.random() < 0.7 else 0
                parts.insert(chance.randrange(2), fill(chance.choice(phrases[other]), chance))
            made.append((chance.choice(["@airline ", ""]) + chance.choice([". ", " ", "! "]).join(parts), label))
    return made


def reviews(name: str, per_class: int, seed: int) -> list[tuple[str, int]]:
    """`per_class` long texts of praise and as many of blame: most sentences agree, some are neutral or disagree."""
    chance = random.Random(seed)
    phrases = load(name)
    made = []
    for label in (-1, 1):
        for _ in range(per_class):
            kinds = chance.choices([label, 0, -label], [0.6, 0.2, 0.2], k=chance.randint(2, 9))
            parts = [fill(chance.choice(phrases[kind]), chance) for kind in (*kinds, label)]
            made.append((". ".join(parts) + ".", label))
    return made
