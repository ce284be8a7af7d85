"""The line of a mistake in a TOML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.model.company import load
from streams.model.places import line_of
from streams.model.readers import ModelError

TEXT = """\
name = "x"
[[kind]]
name = "customer"  # first
[[kind]]
name = "email"
limit = 3

[ zones ] # of units
"MAKKAH-*" = "Asia/Riyadh"
[texts.ask]
en = "How was it?"
[texts]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("kind", 0, "name"), 3),
        (("kind", 1), 4),
        (("kind", 1, "limit"), 6),
        (("kind", 1, "scope"), 4),  # not there: its table
        (("zones", None, "MAKKAH-*"), 9),
        (("texts", "ask", "en"), 11),
        (("texts", "..."), 10),
        (("nothing",), 1),
    ],
)
def test_where_a_path_leads(path: tuple[str | int | None, ...], line: int) -> None:
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("scales.toml", '[[scale]]\nname = "a"\ninstrument = "csat"\nlow = 1\nhigh = 5\n\n[foo]\na = 1\n', "line 7"),
        ("scales.toml", '[[scale]]\nname = "a"\ninstrument = "csat"\nlow = "x"\nhigh = 5\n', "line 4: scale.low"),
        ("actions.toml", "\n[foo]\n", "line 2"),
        ("guests.toml", '\nzone = "UTC"\n[aspects.fod]\nen = "food"\n', "line 3: aspects"),
        ("guests.toml", '\nzone = "Mars/Olympus"\n', "line 2: 'Mars/Olympus' is no IANA time zone"),
        ("guests.toml", '[zones]\n"MAKKAH-*" = "Asia/Riyad"\n', "line 2: 'Asia/Riyad' is no IANA time zone"),
    ],
)
def test_a_model_names_the_line_of_its_mistake(tmp_path: Path, file: str, text: str, said: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as raised:
        load(tmp_path)
    assert f"{file}, {said}" in str(raised.value)
