"""Everything that a worker can be told, in one frozen value.

Made from keyword arguments (command line) or from the environment: every field `x` is `RIHLA_X` there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire
from streams.errors import RihlaError

ENVIRONMENT_PREFIX = "RIHLA_"
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off", "")
WIRE_FORMATS = (SINGLE_OBJECT, CONFLUENT)
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
MAX_EPOCH = 2**19 - 1  # ClickHouse versions are epoch * 2^44 + record version, in a signed 64-bit integer
MAX_SESSION = 1800  # seconds: what Kafka's brokers take unless told otherwise (group.max.session.timeout.ms)
TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")
ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^\s:,/]+):(\d{1,5})")


class SettingsError(RihlaError):
    """A setting that no worker could start with; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """Where the brokers and the database are, and how topics are named and written.

    brokers: `host:port`, several separated by commas.
    prefix: first part of every topic's and group's name.
    partitions, replication: of the topics that Rihla creates; a topic that exists keeps its own.
    registry: URL of a schema registry (Confluent's HTTP API); None reads the files of `schemas`.
    wire: encoding of what is produced: "single-object" or "confluent"; both are read.
    clickhouse: URL of the ClickHouse server; database: name of the database there.
    metrics_port: port of /metrics and its neighbours; 0 takes any free one, None serves none.
    epoch: number of the history that is written, raised by one when state is rebuilt from the log.
    embedded: the broker is the embedded one (Tansu): short group timeouts, no topic settings.
    sole: no other process of this worker's group ever runs at the same time, which whoever sets it must see to: the
    embedded broker then lets it join in a second instead of five.
    max_poll_records: largest number of records in one batch.
    compression: of what is produced: none, gzip, snappy, lz4 or zstd; all are read.
    session_timeout: seconds without a heartbeat after which a worker has lost its partitions.
    state_retention: days without an event after which a customer leaves the state of stitch, and stays in ClickHouse.
    state_idle: seconds without any message about a customer before they may leave it.
    nobody: values, separated by commas, that name nobody as identifier or booking reference, beside those of
        streams/identity/nobody.txt.
    alert_rules: path of a file of alert rules (docs/alerts.md); None takes those of streams/alerts/rules.toml.
    """

    brokers: str = "127.0.0.1:9092"
    prefix: str = "cx"
    partitions: int = 4
    replication: int = 1
    registry: str | None = None
    wire: Wire = SINGLE_OBJECT
    clickhouse: str = "http://127.0.0.1:8123"
    database: str = "cx"
    metrics_port: int | None = None
    epoch: int = 0
    embedded: bool = False
    sole: bool = False
    max_poll_records: int = 8000
    compression: str = "none"
    session_timeout: float = 30.0
    alert_rules: str | None = None
    nobody: str | None = None
    state_retention: float = 400.0
    state_idle: float = 3600.0

    def __post_init__(self) -> None:
        """Check every field; raise SettingsError at the first that cannot be right."""
        addresses = self.broker_list
        if not addresses:
            raise SettingsError("brokers is empty: give at least one HOST:PORT")
        for address in addresses:
            match = ADDRESS.fullmatch(address)
            if match is None or not 0 < int(match[2]) < 65536:
                raise SettingsError(f"brokers: {address!r} is not HOST:PORT")
        if not TOPIC_PREFIX.fullmatch(self.prefix):
            raise SettingsError(f"prefix: {self.prefix!r} is not 1-100 letters, digits, '.', '_' or '-'")
        _within("partitions", self.partitions, 1, 10_000)
        _within("replication", self.replication, 1, 100)
        _within("max_poll_records", self.max_poll_records, 1, 1_000_000)
        _within("epoch", self.epoch, 0, MAX_EPOCH)
        _within("session_timeout", self.session_timeout, 1, MAX_SESSION)
        _within("state_retention", self.state_retention, 0, 1_000_000)
        _within("state_idle", self.state_idle, 0, 1_000_000_000)
        if self.metrics_port is not None:
            _within("metrics_port", self.metrics_port, 0, 65535)
        _one_of("wire", self.wire, WIRE_FORMATS)
        _one_of("compression", self.compression, COMPRESSIONS)
        if self.compression != "none":
            from aiokafka import codec  # not wanted by most commands, and slow to import

            if not getattr(codec, f"has_{self.compression}")():
                raise SettingsError(f"compression: {self.compression} is not installed", "pip install 'aiokafka[all]'")
        _is_url("clickhouse", self.clickhouse)
        if self.registry is not None:
            _is_url("registry", self.registry)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.database):
            raise SettingsError(f"database: {self.database!r} is not a plain identifier")

    @property
    def broker_list(self) -> list[str]:
        """The brokers' addresses, one `host:port` each."""
        return [address.strip() for address in self.brokers.split(",") if address.strip()]

    @property
    def nobody_values(self) -> list[str]:
        """The values of `nobody`."""
        return [value.strip() for value in (self.nobody or "").split(",") if value.strip()]

    def topic(self, name: str) -> str:
        """Full name of the topic `name` ("interactions" is "cx.interactions")."""
        return f"{self.prefix}.{name}"

    def group(self, worker: str) -> str:
        """Consumer group of a worker ("stitch" is "cx-stitch")."""
        return f"{self.prefix}-{worker}"

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from RIHLA_* variables (of os.environ by default); overrides that are not None win.

        Raises SettingsError for an unreadable value or a RIHLA_ variable of a field's name in the wrong form.
        """
        source = os.environ if environment is None else environment
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = source.get(ENVIRONMENT_PREFIX + field.name.upper())
            if text is not None:
                values[field.name] = _parse(field.name, types[field.name], text)
        values.update((name, value) for name, value in overrides.items() if value is not None)
        unknown = values.keys() - types.keys()
        if unknown:
            raise SettingsError(f"no such setting: {', '.join(sorted(unknown))}")
        return cls(**values)


def _parse(name: str, kind: Any, text: str) -> Any:
    """Value of a field of type `kind` written as `text`; the empty text is None where None is allowed."""
    if get_origin(kind) is Literal:
        return text
    options = get_args(kind)
    if options:
        if not text:
            return None
        kind = next(option for option in options if option is not type(None))
    if kind is bool:
        if text.lower() in TRUE_WORDS:
            return True
        if text.lower() in FALSE_WORDS:
            return False
        raise SettingsError(f"{ENVIRONMENT_PREFIX}{name.upper()}: {text!r} is neither true nor false")
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{ENVIRONMENT_PREFIX}{name.upper()}: {text!r} is not a number") from None


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name}: {value} is not between {low} and {high}")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name}: {value!r} is not one of {', '.join(allowed)}")


def _is_url(name: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        whole = False
    if (not whole or re.search(r"\s", value)) and not value.startswith("chdb:"):
        shown = re.sub(r"//.*@", "//...@", value)
        raise SettingsError(
            f"{name}: {shown!r} is not an http(s) URL", f"{name} is http://HOST:PORT or https://HOST:PORT"
        )
