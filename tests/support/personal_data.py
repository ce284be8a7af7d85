"""How well personal data is found in sentences of six languages: `python -m tests.support.personal_data` prints the
table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from streams.text.scrub import scrub_text

FILE = Path(__file__).parents[1] / "unit/data/personal_data.tsv"
MARKER = re.compile(r"\[(card|cvv|iban|email|phone|id|passport)\]")
LANGUAGES = {"en": "English", "ar": "Arabic", "id": "Indonesian, Malay", "tr": "Turkish", "ur": "Urdu", "fr": "French"}


class Sentence(NamedTuple):
    """One line of the file. kind: "-" where nothing is personal. parts: what is, as it stands in the text."""

    language: str
    kind: str
    text: str
    parts: tuple[str, ...]


class Tally(NamedTuple):
    """Of some sentences: what is personal, how much of it is gone; markers, how many of them are right."""

    there: int
    gone: int
    markers: int
    right: int


def sentences() -> list[Sentence]:
    """All of the file."""
    found = []
    for line in FILE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            language, kind, text = line.split("\t")
            parts = tuple(re.findall(r"\{(.*?)\}", text))
            found.append(Sentence(language, kind, re.sub(r"[{}]", "", text), parts))
    return found


def tally(some: list[Sentence]) -> dict[str, Tally]:
    """By kind. What a marker of a kind replaces is right where that kind stands there."""
    there, gone, markers, right = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for one in some:
        scrubbed = scrub_text(one.text)
        there[one.kind] += len(one.parts)
        gone[one.kind] += sum(part not in scrubbed for part in one.parts)
        left = len(one.parts)
        for kind in MARKER.findall(scrubbed):
            markers[kind] += 1
            if kind == one.kind and left:
                right[kind] += 1
                left -= 1
    kinds = sorted({*there, *markers} - {"-"})
    return {kind: Tally(there[kind], gone[kind], markers[kind], right[kind]) for kind in kinds}


def spoilt(some: list[Sentence]) -> list[tuple[str, str]]:
    """Sentences without anything personal that were changed: before and after."""
    changed = ((one.text, scrub_text(one.text)) for one in some if one.kind == "-")
    return [(before, after) for before, after in changed if before != after]


def table() -> str:
    """Markdown: recall and precision of each kind, and how many sentences of each language stay as they should."""
    some = sentences()
    lines = [
        "| kind | written | found | recall | markers | right | precision |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, one in tally(some).items():
        recall, precision = f"{one.gone / one.there:.0%}", f"{one.right / one.markers:.0%}"
        lines.append(f"| `[{kind}]` | {' | '.join(map(str, (*one[:2], recall, *one[2:], precision)))} |")
    lines += [
        "",
        "| language | personal | found | without anything | left as they are |",
        "| --- | --- | --- | --- | --- |",
    ]
    for code, name in LANGUAGES.items():
        own = [one for one in some if one.language == code]
        counts = tally(own).values()
        plain = [one for one in own if one.kind == "-"]
        there, gone = sum(one.there for one in counts), sum(one.gone for one in counts)
        lines.append(f"| {name} | {there} | {gone} | {len(plain)} | {len(plain) - len(spoilt(own))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
    for one in sentences():
        scrubbed = scrub_text(one.text)
        if any(part in scrubbed for part in one.parts) or (one.kind == "-" and scrubbed != one.text):
            print(f"{one.language}\t{one.kind}\t{one.text}\t->\t{scrubbed}")
