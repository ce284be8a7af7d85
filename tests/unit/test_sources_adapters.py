"""Formats by name, and what is said when the name or the file does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.sources.adapters import ADAPTERS, open_source
from streams.sources.events import SourceError


def test_default_is_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.txt"
    path.write_text("nonsense\n")
    [batch] = open_source(str(path))
    assert [bad.payload for bad in batch.bad] == [b"nonsense"]
    assert batch.frame.height == 0


@pytest.mark.parametrize("name", ["bookings.csv", "bookings.csv.gz"])
def test_a_csv_needs_an_adapter(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(SourceError, match=r"--adapter.*hotel-bookings"):
        open_source(str(path))


def test_unknown_adapter(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="hotel-bookings"):
        open_source(str(tmp_path), "hotels")


@pytest.mark.parametrize("adapter", [None, *ADAPTERS])
def test_no_such_file_is_said_before_reading(tmp_path: Path, adapter: str | None) -> None:
    with pytest.raises(SourceError, match="no such file"):
        open_source(str(tmp_path / "none.jsonl"), adapter)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"channel": "stay"}\n')
    with pytest.raises(SourceError, match="no file of hotel bookings"):
        list(open_source(str(path), "hotel-bookings"))
