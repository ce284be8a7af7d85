"""Tokens of the embedded database's users: their files, who they are, and how they travel."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.clickhouse.client import connect
from streams.embedded.clickhouse.access import OWNER, READER, Tokens
from streams.embedded.keys import address_of, read_token, tokens_of, url_for
from streams.errors import RihlaError


def test_tokens_are_made_once_each_its_own_and_nobody_elses_to_read(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first = tokens_of(keys)
    texts = {path.name: path.read_text().strip() for path in keys.iterdir()}
    assert texts.keys() == {"reader", "owner", "pipeline", "analyst", "operations", "engineer"}
    assert texts["reader"] != texts["owner"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in keys.iterdir())
    for tokens in (first, tokens_of(keys)):
        assert tokens.role("reader", texts["reader"]) is READER
        assert tokens.role("owner", texts["owner"]) is OWNER
        assert tokens.role("owner", texts["reader"]) is None
    (keys / "reader").unlink()
    assert tokens_of(keys).role("reader", texts["reader"]) is None


@pytest.mark.parametrize(("user", "token"), [("", ""), ("everything", ""), ("default", "x"), ("owner", "\udc80")])
def test_who_is_nobody_gets_no_role(user: str, token: str) -> None:
    assert Tokens({"owner": "o" * 20, "reader": "r" * 20}).role(user, token) is None


def test_a_token_that_is_none_or_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="16 characters"):
        Tokens({"owner": ""})
    file = tmp_path / "owner"
    for text, mode, said in (("x" * 43, 0o644, "others can read"), ("", 0o600, "no token")):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(RihlaError, match=said):
            read_token(file)
    with pytest.raises(RihlaError, match="cannot be read"):
        read_token(tmp_path / "none")


def test_a_url_names_the_file_not_the_token(tmp_path: Path) -> None:
    keys = tmp_path / "a folder & more"
    keys.mkdir()
    url = url_for("http://127.0.0.1:8123", keys, "owner")
    assert address_of(url) == "http://127.0.0.1:8123"
    assert url.startswith("http://owner@127.0.0.1:8123/?password_file=")
    with pytest.raises(ValueError, match=f"cannot be read from {keys}/owner"):
        connect(url)
