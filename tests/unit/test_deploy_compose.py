"""docker-compose.yml: valid by the Compose Specification's schema, consistent with the repository and the settings."""

from __future__ import annotations

import copy
import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streams.kafka.app import STOP_WITHIN
from streams.settings import Settings
from streams.topology import PROCESSES

ROOT = Path(__file__).parents[2]
# The schema that the development package check-jsonschema carries; only the file is used, not the package's code.
SCHEMA_FILE = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
SCHEMA = json.loads(Path(str(SCHEMA_FILE)).read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
WORKERS = PROCESSES


def schema_errors(document: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.validators.validator_for(SCHEMA)(SCHEMA).iter_errors(document)]


def interpolated(value: object) -> str:
    """A value as Compose would see it with an empty environment: ${NAME:-default} is the default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def environment(service: str) -> dict[str, str]:
    return {name: interpolated(value) for name, value in SERVICES[service].get("environment", {}).items()}


def test_valid_by_the_compose_specification() -> None:
    assert schema_errors(COMPOSE) == []


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [
        ("kafka", "imagee", "apache/kafka"),
        ("kafka", "ports", "9092"),
        ("enrich", "depends_on", {"kafka": {"condition": "healthy"}}),
        ("sink", "healthcheck", {"test": 1}),
    ],
)
def test_the_schema_finds_mistakes(service: str, key: str, value: object) -> None:
    broken = copy.deepcopy(COMPOSE)
    broken["services"][service][key] = value
    assert schema_errors(broken)


@pytest.mark.parametrize("name", WORKERS)
def test_worker_runs_its_own_command(name: str) -> None:
    service = SERVICES[name]
    assert service["command"] == ["worker", name]
    assert service["restart"] == "unless-stopped"
    assert float(service["stop_grace_period"].removesuffix("s")) > STOP_WITHIN
    assert "/healthz" in " ".join(service["healthcheck"]["test"])


@pytest.mark.parametrize("name", [*WORKERS, "migrate"])
def test_worker_settings_are_settings(name: str) -> None:
    variables = environment(name)
    # Where the page listens is not the pipeline's business, so it is an option of the command only.
    known = {f"RIHLA_{field.upper()}" for field in Settings.__dataclass_fields__} | {"RIHLA_METRICS_HOST"}
    assert set(variables) <= known
    settings = Settings.from_env(variables)
    assert settings.broker_list == ["kafka:19092"]
    assert settings.registry == "http://registry:8081"
    assert settings.wire == "confluent"
    assert settings.metrics_port == 9100


def test_only_the_sink_and_migrate_know_the_database() -> None:
    with_password = {name for name in SERVICES if "RIHLA_CLICKHOUSE" in environment(name)}
    assert with_password == {"sink", "migrate"}
    endpoint = Settings.from_env(environment("sink")).clickhouse_endpoint
    assert (endpoint.address, endpoint.username, endpoint.password) == ("http://clickhouse:8123", "rihla", "rihla")
    assert environment("clickhouse")["CLICKHOUSE_DB"] == Settings.from_env(environment("sink")).database


def test_addresses_name_services() -> None:
    listeners = environment("kafka")["KAFKA_ADVERTISED_LISTENERS"]
    assert f"PLAINTEXT://{environment('enrich')['RIHLA_BROKERS']}" in listeners
    for service in SERVICES:
        for host in re.findall(r"https?://(?:[^@/\s]*@)?([a-z]+)[:/]", " ".join(environment(service).values())):
            assert host in SERVICES


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_can_start(name: str) -> None:
    service = SERVICES[name]
    image = interpolated(service["image"])
    assert ":" in image
    assert not image.endswith(":latest")
    for needed, how in service.get("depends_on", {}).items():
        condition = how["condition"]
        assert needed in SERVICES
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert (condition, SERVICES[needed]["restart"]) == ("service_completed_successfully", "on-failure")
    if name != "migrate":
        assert "healthcheck" in service


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_volumes_are_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, rest = volume.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists()
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_nothing_is_published_beyond_this_host() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_there_is_one_identity_worker() -> None:
    assert SERVICES["identity"]["scale"] == 1
