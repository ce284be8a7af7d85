"""What the writer of a text wants, how it feels to them, and whether it cost them effort. Each is empty, or None, where
nothing of it is expressed.

Patterns of a data file (lexicons/intents.toml) in six languages, Malay with Indonesian, found as those of concerns.py
are, and the text's score: who praises or blames says so without any set words. Offline, pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from streams.text.concerns import LONGEST, Patterns, concerns, found_in, plain, read

INTENTS: Final = ("complaint", "question", "praise", "request", "leave", "threat", "human")
"""What a text may be: leave is a threat to buy elsewhere, threat one to publish or to go to law, human asks for a
person to talk to."""
EMOTIONS: Final = ("anger", "fear", "sadness", "joy")
"""Ekman's basic emotions (1992) less disgust and surprise, in the order in which they count: the gravest first."""
URGENT: Final = frozenset({"medical", "safety", "lost_member", "child"})
"""The concerns that cannot wait an hour."""
BLAME, PRAISE = -0.3, 0.3
"""The scores (streams.text.scorer, -1 to 1) at which a text is a complaint, or praise, whatever its words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """intents: of INTENTS, in their order. emotion: of EMOTIONS, or None. effort: whether the writer tells of
    repeated or vain attempts. urgent: whether it raises a concern of URGENT."""

    intents: tuple[str, ...]
    emotion: str | None
    effort: bool
    urgent: bool


def read_intents(text: str, score: float | None = None, raised: frozenset[str] | None = None) -> Reading:
    """What a text says, given its score in [-1, 1] or None if it has none, and the concerns that it raises (None: those
    that the first reader finds)."""
    raised = concerns(text) if raised is None else raised
    said = plain(text[:LONGEST])
    found = found_in(_patterns(), said, said.split())
    intents = {name for name in INTENTS if name in found}
    if "threat" in raised:
        intents.add("threat")
    asks = intents & {"question", "request", "human"}
    if ("?" in text or "؟" in text) and not intents & {"request", "human", "leave"}:
        intents.add("question")
        asks.add("question")
    if score is not None and score <= BLAME and not asks:
        intents.add("complaint")
    if score is not None and score >= PRAISE and not asks:
        intents.add("praise")
    if asks or (score is not None and score <= 0):
        intents.discard("praise")
    if "complaint" in intents and score is not None and score >= PRAISE:
        intents.discard("complaint")
    emotion = next((name for name in EMOTIONS if name in found), None)
    return Reading(
        tuple(name for name in INTENTS if name in intents), emotion, "effort" in found, bool(raised & URGENT)
    )


@cache
def _patterns() -> Patterns:
    """The patterns of the data file."""
    return Patterns((name, *one) for name, some in read("intents").items() for one in some)
