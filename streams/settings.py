"""Every setting of a worker, in one frozen value.

Made from keyword arguments (command line) or from the environment: every field `x` is `RIHLA_X` there, and of a secret
`RIHLA_X_FILE` may name a file that holds it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from schemas.endpoint import Endpoint, EndpointError
from schemas.masking import learn, learn_pair, masked
from schemas.tls import Tls
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire
from streams.errors import RihlaError
from streams.secret_files import SUFFIX, secret

ENVIRONMENT_PREFIX = "RIHLA_"
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off", "")
WIRE_FORMATS = (SINGLE_OBJECT, CONFLUENT)
SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
LOG_FORMATS = ("text", "json")
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
MAX_EPOCH = 2**19 - 1  # ClickHouse versions are epoch * 2^44 + record version, in a signed 64-bit integer
MAX_SESSION = 1800  # seconds: what Kafka's brokers accept by default (group.max.session.timeout.ms)
TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,100}")
ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[^\s:,/]+):(\d{1,5})")


class SettingsError(RihlaError):
    """A setting that no worker could start with; the message names it and says what would do."""


def _secret(default: Any = None) -> Any:
    """A field that holds a secret: it is not printed, not published, and may be read from a file."""
    return field(default=default, repr=False, metadata={"secret": True})


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
    sole: no other process of this worker's group ever runs at the same time, which the setter guarantees: the embedded
    broker then lets it join in a second instead of five.
    max_poll_records: largest number of records in one batch.
    compression: of what is produced: none, gzip, snappy, lz4 or zstd; all are read.
    session_timeout: seconds without a heartbeat after which a worker has lost its partitions.
    log_format: how workers log: "text" for people, or "json", one object a line (streams/logs.py).
    trace_sample: share, in [0, 1], of events that are traced by OpenTelemetry (streams/tracing.py), beside those that
        their producer traces; None: no event is.
    deep: texts have a second reader of concerns (streams/text/deep.py), in stitch and `rihla score`: the extra `deep`.
    state_retention: days without an event after which a customer leaves the state of stitch, and stays in ClickHouse.
    state_idle: seconds without any message about a customer before they may leave it.
    nobody: values, separated by commas, that name nobody as identifier or booking reference, beside those of
        streams/model/nobody.txt.
    names: names by which a proxy in front asks the collector and serve, with commas between (docs/doors.md).
    collect_host, collect_port: where the collector listens; port 0 takes any free one.
    collect_token: token with which events of any source may be sent to it.
    collect_config: path of a file of its tokens and webhooks (docs/collector.md).
    collect_country: ISO 3166-1 alpha-2 of the phone numbers without a calling code that it hashes.
    model: folder of the company's model (docs/model.md): touchpoints, stages, identifiers, alerts; None: Rihla's own.
    alert_rules: path of a file of alert rules (docs/alerts.md), in the place of the model's.
    routes: path of a file of routes (docs/deliver.md), by which deliver tells people and systems; None: nobody is told.
    serve_host, serve_port: where `rihla worker serve` answers; port 0 takes any free one.
    serve_folder: folder of its view, for one process alone; it may be removed while that is stopped.
    serve_tokens: path of the file that says who may ask it what (docs/serve.md).
    serve_openid: path of the file that says which company accounts may sign in at its desk (docs/serve.md).
    public_url: address at which people reach `rihla worker serve` from outside, https://...; messages then have a link.
    survey_url: address at which guests reach `rihla worker collect` from outside; invitations then have a link.
    link_keys: keys of the links' signature, a line each, `whsec_` and base64; two while they are changed.

    security_protocol, sasl_*, ssl_*: how to be let in by Kafka, named as Kafka names them; files are PEM.
    sasl_token_file, sasl_token_command: where OAUTHBEARER's token is read from, again for each connection.
    registry_*, clickhouse_*: the same for these services over HTTP; a token is one of bearer authentication.
    docs/security.md says more.
    """

    brokers: str = "127.0.0.1:9092"
    prefix: str = "cx"
    partitions: int = 4
    replication: int = 1
    registry: str | None = _secret()  # a URL may hold a password
    wire: Wire = SINGLE_OBJECT
    clickhouse: str = _secret("http://127.0.0.1:8123")
    database: str = "cx"
    metrics_port: int | None = None
    epoch: int = 0
    embedded: bool = False
    sole: bool = False
    max_poll_records: int = 8000
    compression: str = "none"
    session_timeout: float = 30.0
    log_format: str = "text"
    trace_sample: float | None = None
    names: str | None = None
    collect_host: str = "127.0.0.1"
    collect_port: int = 8080
    collect_token: str | None = _secret()
    collect_config: str | None = None
    collect_country: str | None = None
    model: str | None = None
    alert_rules: str | None = None
    routes: str | None = None
    serve_host: str = "127.0.0.1"
    serve_port: int = 8360
    serve_folder: str = "rihla-serve"
    serve_tokens: str | None = None
    serve_openid: str | None = None
    public_url: str | None = None
    survey_url: str | None = None
    link_keys: str | None = _secret()
    nobody: str | None = None
    deep: bool = False
    state_retention: float = 400.0
    state_idle: float = 3600.0
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = _secret()
    sasl_token_file: str | None = None
    sasl_token_command: str | None = None
    ssl_ca: str | None = None
    ssl_certificate: str | None = None
    ssl_key: str | None = None
    ssl_key_password: str | None = _secret()
    ssl_check_hostname: bool = True
    registry_username: str | None = None
    registry_password: str | None = _secret()
    registry_token: str | None = _secret()
    registry_token_file: str | None = None
    registry_ca: str | None = None
    registry_certificate: str | None = None
    registry_key: str | None = None
    registry_key_password: str | None = _secret()
    registry_check_hostname: bool = True
    clickhouse_username: str | None = None
    clickhouse_password: str | None = _secret()
    clickhouse_token: str | None = _secret()
    clickhouse_token_file: str | None = None
    clickhouse_ca: str | None = None
    clickhouse_certificate: str | None = None
    clickhouse_key: str | None = None
    clickhouse_key_password: str | None = _secret()
    clickhouse_check_hostname: bool = True

    def __post_init__(self) -> None:
        """Check every field; raise SettingsError at the first that cannot be right."""
        addresses = self.broker_list
        if not addresses:
            raise SettingsError("brokers is empty: give at least one HOST:PORT")
        for address in addresses:
            match = ADDRESS.fullmatch(address)
            if match is None or not 0 < int(match[2]) < 65536:
                raise SettingsError(f"brokers: {masked(address)!r} is not HOST:PORT")
        if not TOPIC_PREFIX.fullmatch(self.prefix):
            raise SettingsError(f"prefix: {self.prefix!r} is not 1-100 letters, digits, '.', '_' or '-'")
        _within("partitions", self.partitions, 1, 10_000)
        _within("replication", self.replication, 1, 100)
        _within("max_poll_records", self.max_poll_records, 1, 1_000_000)
        _within("epoch", self.epoch, 0, MAX_EPOCH)
        _within("session_timeout", self.session_timeout, 1, MAX_SESSION)
        _within("state_retention", self.state_retention, 0, 1_000_000)
        _within("state_idle", self.state_idle, 0, 1_000_000_000)
        _within("collect_port", self.collect_port, 0, 65535)
        if self.collect_country is not None and not re.fullmatch(r"[A-Z]{2}", self.collect_country):
            raise SettingsError(f"collect_country: {self.collect_country!r} is not two capital letters of ISO 3166-1")
        if self.metrics_port is not None:
            _within("metrics_port", self.metrics_port, 0, 65535)
        _within("serve_port", self.serve_port, 0, 65535)
        for key, url in (("public_url", self.public_url), ("survey_url", self.survey_url)):
            if url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
                raise SettingsError(f"{key}: {masked(url)!r} is no address such as https://rihla.example.com")
            if url is not None and self.link_keys is None:
                raise SettingsError(f"{key} needs link_keys, which sign the links", "openssl rand -base64 32 makes one")
        _one_of("wire", self.wire, WIRE_FORMATS)
        _one_of("compression", self.compression, COMPRESSIONS)
        if self.compression != "none":
            from aiokafka import codec  # not wanted by most commands, and slow to import

            if not getattr(codec, f"has_{self.compression}")():
                raise SettingsError(f"compression: {self.compression} is not installed", "pip install 'aiokafka[all]'")
        if self.trace_sample is not None:
            _within("trace_sample", self.trace_sample, 0, 1)
        _one_of("log_format", self.log_format, LOG_FORMATS)
        _one_of("security_protocol", self.security_protocol, SECURITY_PROTOCOLS)
        _one_of("sasl_mechanism", self.sasl_mechanism, SASL_MECHANISMS)
        self._check_who()
        learn(self.ssl_key_password)
        if self.sasl_password is not None:
            learn_pair(self.sasl_username or "", self.sasl_password)
        _ = self.clickhouse_endpoint, self.registry_endpoint  # raise SettingsError
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.database):
            raise SettingsError(f"database: {self.database!r} is not a plain identifier")

    def _check_who(self) -> None:
        """Check our credentials for Kafka: nothing is missing, and nothing is given that would not be used."""
        sasl = [name for name in ("sasl_username", "sasl_password", "sasl_token_file", "sasl_token_command")
                if getattr(self, name) is not None]  # fmt: skip
        tokens = [name for name in sasl if "token" in name]
        if not self.security_protocol.startswith("SASL_"):
            if sasl:
                raise SettingsError(f"{sasl[0]} is of no use with security_protocol {self.security_protocol}",
                                    "RIHLA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT")  # fmt: skip
        elif self.sasl_mechanism == "OAUTHBEARER":
            if len(tokens) != 1:
                raise SettingsError("OAUTHBEARER needs sasl_token_file or sasl_token_command, and not both")
            try:
                shlex.split(self.sasl_token_command or "")
            except ValueError as error:
                raise SettingsError(f"sasl_token_command is no command: {error}") from None
        elif self.sasl_username is None or self.sasl_password is None:
            raise SettingsError(f"{self.sasl_mechanism} needs sasl_username and sasl_password",
                                "RIHLA_SASL_USERNAME and RIHLA_SASL_PASSWORD, or RIHLA_SASL_PASSWORD_FILE")  # fmt: skip
        if self.ssl.given and not self.security_protocol.endswith("SSL"):
            raise SettingsError(f"ssl_* settings are of no use with security_protocol {self.security_protocol}",
                                "RIHLA_SECURITY_PROTOCOL=SSL or SASL_SSL")  # fmt: skip

    @property
    def broker_list(self) -> list[str]:
        """The brokers' addresses, one `host:port` each."""
        return [address.strip() for address in self.brokers.split(",") if address.strip()]

    @property
    def name_list(self) -> list[str]:
        """The values of `names`."""
        return [name.strip() for name in (self.names or "").split(",") if name.strip()]

    @property
    def nobody_values(self) -> list[str]:
        """The values of `nobody`."""
        return [value.strip() for value in (self.nobody or "").split(",") if value.strip()]

    @property
    def clickhouse_endpoint(self) -> Endpoint:
        """ClickHouse's address, with who we are there."""
        return self._endpoint("clickhouse", self.clickhouse)

    @property
    def registry_endpoint(self) -> Endpoint | None:
        """The registry's address, with who we are there; None without a registry."""
        return None if self.registry is None else self._endpoint("registry", self.registry)

    @property
    def ssl(self) -> Tls:
        """The files with which Kafka is spoken to over TLS."""
        return self._tls("ssl")

    def _endpoint(self, name: str, url: str) -> Endpoint:
        given = {part: getattr(self, f"{name}_{part}") for part in ("username", "password", "token", "token_file")}
        try:
            return Endpoint.parse(url, name=name, tls=self._tls(name), **given)
        except EndpointError as error:
            raise SettingsError(str(error)) from None

    def _tls(self, name: str) -> Tls:
        return Tls(**{part.name: getattr(self, f"{name}_{part.name}") for part in fields(Tls)})

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
        for one in fields(cls):
            variable = ENVIRONMENT_PREFIX + one.name.upper()
            if overrides.get(one.name) is not None:
                continue
            text = secret(variable, source) if one.name in BY_FILE else source.get(variable)
            if text is not None:
                values[one.name] = _parse(one.name, types[one.name], text)
        values.update((name, value) for name, value in overrides.items() if value is not None)
        unknown = values.keys() - types.keys()
        if unknown:
            raise SettingsError(f"no such setting: {', '.join(sorted(unknown))}")
        return cls(**values)


SECRETS = frozenset(one.name for one in fields(Settings) if one.metadata.get("secret"))
"""Fields that hold secrets, or may."""
BY_FILE = SECRETS - {one.name.removesuffix(SUFFIX.lower()) for one in fields(Settings) if one.name not in SECRETS}
"""Those whose variable may name a file; the others have a field for that, since their file is read again and again."""


def environment(settings: Settings) -> dict[str, str]:
    """The RIHLA_* variables from which Settings.from_env makes these settings again, in a process of ours.

    Secrets are among them, and the variables of their files empty: the environment of this process may have those.
    """
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    told = {ENVIRONMENT_PREFIX + name.upper(): "" if value is None else str(value) for name, value in values.items()}
    return told | {ENVIRONMENT_PREFIX + name.upper() + SUFFIX: "" for name in BY_FILE}


def published(settings: Settings) -> dict[str, str]:
    """Those variables without secrets, for other processes to read, which have secrets of their own."""
    hidden = {ENVIRONMENT_PREFIX + name.upper() for name in SECRETS}
    hidden |= {ENVIRONMENT_PREFIX + name.upper() + SUFFIX for name in BY_FILE}
    hidden |= {ENVIRONMENT_PREFIX + name for name in ("PUBLIC_URL", "SURVEY_URL")}  # of no use without link_keys
    addresses = {"CLICKHOUSE": settings.clickhouse_endpoint, "REGISTRY": settings.registry_endpoint}
    return {variable: text for variable, text in environment(settings).items() if variable not in hidden} | {
        ENVIRONMENT_PREFIX + name: endpoint.address for name, endpoint in addresses.items() if endpoint is not None
    }


def own_services(environment: Mapping[str, str], *, broker: bool) -> dict[str, str]:
    """An environment without what tells how to be let in by a ClickHouse, and (broker) by a Kafka, that are elsewhere:
    for a pipeline that starts its own."""
    prefixes = ["CLICKHOUSE"] + (["SECURITY_PROTOCOL", "SASL_", "SSL_"] if broker else [])
    elsewhere = tuple(ENVIRONMENT_PREFIX + prefix for prefix in prefixes)
    return {variable: text for variable, text in environment.items() if not variable.startswith(elsewhere)}


def of_owner(told: Mapping[str, str] | None, own: Mapping[str, str] | None = None) -> Settings:
    """The settings that a running pipeline has published, with the secrets for its broker and registry that this
    process has (own: os.environ by default); those of this process alone where none runs (None).

    The database is the folder's own, and needs none of these secrets.
    """
    source = os.environ if own is None else own
    if told is None:
        return Settings.from_env(own_services(source, broker=False))
    mine = {
        variable: source[variable]
        for name in SECRETS
        for variable in (ENVIRONMENT_PREFIX + name.upper(), ENVIRONMENT_PREFIX + name.upper() + SUFFIX)
        if variable in source and not name.startswith("clickhouse") and name != "registry"
    }
    return Settings.from_env({**mine, **told})


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
