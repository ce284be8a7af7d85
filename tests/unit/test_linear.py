"""What looks through texts of others takes time in proportion to their length, whatever they hold: nobody may hold up a
worker with one text. CPU time at two lengths is compared, and never with a clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import orjson
import pytest

from schemas.masking import hidden, masked
from schemas.registry import LocalRegistry
from streams.enrich.clean import scrub_attribute
from streams.model.normal import Nobody, secrets
from streams.text.scorer import Scorer
from streams.text.scrub import cover_text, scrub_text
from streams.text.shown import shown_line, shown_record

SIGNS = (
    "1", "-", "a", "@", ".", " ", "(", "=", "/", ":", "+", "_", ",", "\n", "#", "&", '"', "\\", "%", "[", "'", "٣", "0",
    "é", "e\u0301", "\u200b", "گ", "😀",
)  # fmt: skip
MADE = (
    "1-", "+2026-01-01", "cvv 3782", "0/", "٣ ", "&0", "/٣", ",0", "12:30,", "-2026-01-01", "2026-01-010", "a@", "a@b.",
    "a at b dot ", " dot a", "(at)", "http://a", "a=b&", "password=x&", "p@x ", "AB12 ", "GB82 ", "passport A1234567 ",
    "phone 1234567", "00 ", "1234 ", "1,234", "\\u0040", "%40", "not ", "good ", "=\n", "&#64;", "YQ==", "x:y@",
    "A" * 76 + "\n", ("A" * 76 + "\n") * 20 + "! ", "é" * 9 + "a",
)  # fmt: skip
LENGTH = 2_000


def _line(text: str) -> object:
    return shown_line(orjson.dumps({"text": text, "attributes": [{"key": "x", "value": text}]}))


def _binary(text: str) -> object:
    return shown_record(b"\0\0\1\2\3" + text.encode() + b"\1", _FILES)


_FILES = LocalRegistry()
_SCORER = Scorer()
_NOBODY = Nobody()

WORKS: dict[str, Callable[[str], object]] = {
    "scrub": scrub_text,
    "cover": cover_text,
    "attribute": lambda text: scrub_attribute(text[:100], text),
    "hidden": hidden,
    "url": masked,
    "secrets": lambda text: secrets([("x", text)], text, _NOBODY),
    "line": lambda text: shown_line(text.encode()),
    "json": _line,
    "binary": _binary,
    "score": lambda text: _SCORER.score_one(text, None),
}


def cpu(work: Callable[[str], object], text: str) -> float:
    """Seconds of CPU, the least of three."""
    took = []
    for _ in range(3):
        began = time.process_time()
        work(text)
        took.append(time.process_time() - began)
    return min(took)


@pytest.mark.parametrize("name", WORKS)
def test_time_grows_as_the_text_does(name: str) -> None:
    work = WORKS[name]
    work("warm up: 1 a@b.co")
    gc.disable()
    try:
        for made in (*SIGNS, *MADE):
            few, many = ((made * LENGTH)[: LENGTH * times] for times in (1, 4))
            began = time.process_time()
            work(many)
            if time.process_time() - began > 0.02:  # less is too little to be compared
                # Linear is 4, the square is 16; what else runs on the machine may be in one of the two alone.
                assert any(cpu(work, many) < 9 * cpu(work, few) for _ in range(5)), made
    finally:
        gc.enable()
