"""Settings: from arguments and from the environment, wrong ones told at once."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from streams.settings import Settings, SettingsError


def test_names_begin_with_the_prefix() -> None:
    assert Settings().topic("check-in") == "cx.check-in"
    assert Settings(prefix="acme.cx").topic("links") == "acme.cx.links"
    assert Settings(prefix="acme").group("stitch") == "acme-stitch"


def test_the_environment_sets_fields_and_arguments_win() -> None:
    given = {
        "brokers": "a:1, b:2",
        "prefix": "p",
        "partitions": "8",
        "replication": "3",
        "registry": "http://registry:8081",
        "wire": "confluent",
        "clickhouse": "https://click:8443",
        "database": "journeys",
        "metrics_port": "0",
        "epoch": "2",
        "embedded": "yes",
        "max_poll_records": "100",
        "compression": "gzip",
        "session_timeout": "7.5",
    }
    settings = Settings.from_env({f"RIHLA_{name.upper()}": text for name, text in given.items()})
    assert {name: value for name, value in dataclasses.asdict(settings).items() if name in given} == {
        **given, "partitions": 8, "replication": 3, "metrics_port": 0, "epoch": 2, "embedded": True,
        "max_poll_records": 100, "session_timeout": 7.5,
    }  # fmt: skip
    assert settings.broker_list == ["a:1", "b:2"]
    assert Settings.from_env({"RIHLA_PARTITIONS": "8"}, partitions=2, prefix=None).partitions == 2
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_is_none_where_none_is_allowed() -> None:
    assert Settings.from_env({"RIHLA_REGISTRY": "", "RIHLA_METRICS_PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("brokers", "", "brokers is empty"),
        ("brokers", "localhost", "brokers: 'localhost' is not HOST:PORT"),
        ("brokers", "a:1,b:99999", "brokers: 'b:99999' is not HOST:PORT"),
        ("prefix", "a b", "prefix: 'a b' is not"),
        ("partitions", 0, "partitions: 0 is not between 1 and 10000"),
        ("epoch", 2**19, "epoch: 524288 is not between"),
        ("metrics_port", 70000, "metrics_port: 70000 is not between"),
        ("wire", "json", "wire: 'json' is not one of single-object, confluent"),
        ("compression", "rar", "compression: 'rar' is not one of"),
        ("clickhouse", "localhost:8123", "clickhouse: 'localhost:8123' is not"),
        ("registry", "registry", "registry: 'registry' is not"),
        ("database", "a-b", "database: 'a-b' is not a plain identifier"),
        ("session_timeout", 0.5, "session_timeout: 0.5 is not between"),
    ],
)
def test_a_wrong_value_is_refused_by_name(field: str, value: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        Settings(**{field: value})


@pytest.mark.parametrize(("name", "text"), [("PARTITIONS", "four"), ("EMBEDDED", "perhaps"), ("SESSION_TIMEOUT", "")])
def test_an_unreadable_variable_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^RIHLA_{name}: '{text}' is n"):
        Settings.from_env({f"RIHLA_{name}": text})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"no such setting: partition$"):
        Settings.from_env({}, partition=2)
