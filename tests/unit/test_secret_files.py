"""Secrets by file: RIHLA_X_FILE in the place of RIHLA_X, for settings and for the options of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.erasure import key
from streams.secret_files import SecretError, secret
from streams.settings import BY_FILE, Settings, environment, of_owner, published

VALUES = {"registry": "http://u:pw@r:1", "clickhouse": "http://u:pw@c:1"}


@pytest.mark.parametrize("name", sorted(BY_FILE))
def test_every_secret_may_stand_in_a_file(tmp_path: Path, name: str) -> None:
    file, value = tmp_path / "secret", VALUES.get(name, "a-secret")
    file.write_text(f"  {value}\n")
    user = {"registry_password": {"RIHLA_REGISTRY_USERNAME": "u", "RIHLA_REGISTRY": "http://r:1"}}
    user["clickhouse_password"] = {"RIHLA_CLICKHOUSE_USERNAME": "u"}
    user["clickhouse_key_password"] = {"RIHLA_CLICKHOUSE": "https://h"}
    user["sasl_password"] = {"RIHLA_SECURITY_PROTOCOL": "SASL_SSL", "RIHLA_SASL_USERNAME": "u"}
    user["ssl_key_password"] = {"RIHLA_SECURITY_PROTOCOL": "SSL"}
    given = {f"RIHLA_{name.upper()}_FILE": str(file), **user.get(name, {})}
    settings = Settings.from_env(given)
    assert getattr(settings, name) == value
    assert value not in repr(settings)
    assert Settings.from_env({**given, **environment(settings)}) == settings
    with pytest.raises(SecretError, match="are both set"):
        Settings.from_env({**given, f"RIHLA_{name.upper()}": value})


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    for file, said in (
        ("long", "more than 64 KiB"),
        ("missing", "No such file"),
        ("empty", "is empty"),
        ("binary", "no text"),
        ("", "directory"),
    ):
        with pytest.raises(SecretError, match=said):
            secret("RIHLA_X", {"RIHLA_X_FILE": str(tmp_path / file)})
    with pytest.raises(SecretError, match="more than 64 KiB"):
        secret("RIHLA_X", {"RIHLA_X_FILE": "/dev/zero"})
    assert secret("RIHLA_X", {"RIHLA_X_FILE": "", "RIHLA_X": "y"}) == "y"
    assert secret("RIHLA_X", {}) is None


def test_the_key_of_erasures_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef0123\n")
    assert key.from_environment({"RIHLA_ERASURE_KEY_FILE": str(tmp_path / "key")}) == key.from_environment(
        {"RIHLA_ERASURE_KEY": "0123456789abcdef0123"}
    )


def test_what_is_published_holds_no_secret_and_others_bring_their_own() -> None:
    settings = Settings(
        registry="http://u:S3CR3TS@r:8081/api", clickhouse="http://o:S3CR3TS@c:1", sasl_username="me",
        security_protocol="SASL_PLAINTEXT", sasl_password="S3CR3TS", partitions=7,
    )  # fmt: skip
    told = published(settings)
    assert "S3CR3TS" not in str(told)
    own = {"RIHLA_SASL_PASSWORD": "mine-own", "RIHLA_CLICKHOUSE_PASSWORD": "x", "RIHLA_REGISTRY": "http://other"}
    theirs = of_owner(told, own)
    assert (theirs.partitions, theirs.sasl_password, theirs.sasl_username) == (7, "mine-own", "me")
    assert (theirs.registry, theirs.clickhouse) == ("http://r:8081/api", "http://c:1")


def test_what_is_published_suffices_where_links_are_signed() -> None:
    settings = Settings(
        public_url="https://rihla.example.com", survey_url="https://ask.example.com", link_keys="x" * 44
    )
    assert of_owner(published(settings), {}).public_url is None  # no other process signs links, or has their key
