"""Who may send what to the collector: a TOML file of tokens and webhooks, or one token from the settings.

Secrets are in files of their own, which the configuration names, so that it can be kept with the code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import msgspec

from schemas.masking import learn
from schemas.records import CHANNELS
from streams.collect.forms import Words
from streams.collect.intake import Sender
from streams.collect.signatures import SCHEMES, TOLERANCE
from streams.collect.throttle import Throttle
from streams.errors import RihlaError
from streams.secret_files import SecretError, secret
from streams.settings import Settings, SettingsError
from streams.sources.mapping.model import Mapping, MappingError
from streams.sources.mapping.model import load as load_mapping
from streams.sources.mapping.translate import Translator

SHORTEST = 16
"""Characters of a token or a secret: shorter ones can be guessed."""
DEFAULT = "collector"
"""Name and source of the token that the settings give."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class Token(_Strict, frozen=True):
    """A sender of events and its token."""

    secret_file: str
    """File that holds the token; a path from the configuration's folder."""
    sources: tuple[str, ...] = ()
    """Sources that it may name; the first is the default. Left out: the token's name."""
    any_source: bool = False
    """Whether it may name any source."""
    rate: float | None = None
    """Events a second, on average; None for any."""
    channel: str | None = None
    """Channel of events whose touchpoint has none."""
    touchpoints: dict[str, str] = {}
    """Touchpoints by the name of an event of CloudEvents or of Segment's libraries."""
    country: str | None = None
    """ISO 3166-1 alpha-2 of phone numbers without a calling code; without it, RIHLA_COLLECT_COUNTRY."""


class Webhook(_Strict, frozen=True):
    """One route for requests of another system."""

    mapping: str
    """Mapping file (docs/ways-in.md); a path from the configuration's folder."""
    scheme: str
    """The scheme by which its requests are signed: one of SCHEMES."""
    secret_file: str
    tolerance: float = TOLERANCE
    """Seconds."""
    rate: float | None = None
    """Requests a second, on average; None for any."""
    verify_file: str | None = None
    """File with the token by which Meta verifies the webhook when it is set up (hub.verify_token)."""
    items: str | None = None
    """Path (`data.events`) of the array of events in the body; left out: the body is the event, or the array."""


class File(_Strict, frozen=True):
    """The configuration file."""

    tokens: dict[str, Token] = {}
    webhooks: dict[str, Webhook] = {}


@dataclass(frozen=True)
class Client:
    """The sender that a token stands for."""

    name: str
    sources: tuple[str, ...]
    any_source: bool
    throttle: Throttle
    sender: Sender

    def as_source(self, source: str | None) -> Sender | None:
        """The source on whose behalf it sends; None if it may not name that source."""
        if source is None or source == self.sender.source:
            return self.sender
        if self.any_source or source in self.sources:
            return replace(self.sender, source=source)
        return None


@dataclass(frozen=True)
class Hook:
    """A webhook, ready."""

    name: str
    scheme: str
    secret: bytes
    tolerance: float
    throttle: Throttle
    mapping: Mapping
    translator: Translator
    items: tuple[str, ...]
    verify: bytes | None = None
    """Meta's hub.verify_token."""


@dataclass(frozen=True)
class Access:
    """Everybody who may send. clients: by the SHA-256 of the token."""

    clients: dict[bytes, Client]
    hooks: dict[str, Hook]

    def client(self, token: str) -> Client | None:
        """The sender with this token. It is looked up by its hash, so the time that this takes reveals nothing of
        it."""
        return self.clients.get(sha256(token.encode()).digest())


def access_of(settings: Settings) -> Access:
    """Everybody who may send, by the settings. Raises RihlaError for a configuration that cannot be used."""
    clients: dict[bytes, Client] = {}
    hooks: dict[str, Hook] = {}
    if settings.collect_token is not None:
        token = Token("", any_source=True)
        _add(clients, DEFAULT, settings.collect_token, token, settings, "RIHLA_COLLECT_TOKEN")
    if settings.collect_config is not None:
        path = Path(settings.collect_config)
        given = _read(path)
        for name, token in given.tokens.items():
            where = f"{path}: token {name!r}"
            _add(clients, name, _secret(path, token.secret_file, where), token, settings, where)
        for name, hook in given.webhooks.items():
            hooks[name] = _hook(path, name, hook)
    if not clients and not hooks:
        raise SettingsError(
            "nobody may send anything to the collector",
            "set RIHLA_COLLECT_TOKEN_FILE to a file with a token, or RIHLA_COLLECT_CONFIG (docs/collector.md)",
        )
    return Access(clients, hooks)


def _read(path: Path) -> File:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=File)
    except OSError as error:
        raise SettingsError(f"collect_config: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"collect_config: {path} is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"collect_config: {path}: {error}") from None


def _secret(path: Path, file: str, where: str) -> str:
    try:
        found = secret("SECRET", {"SECRET_FILE": str(path.parent / file)})
    except SecretError as error:
        raise SettingsError(f"{where}: {str(error).removeprefix('SECRET_FILE: ')}") from None
    assert found is not None
    return found


def _add(clients: dict[bytes, Client], name: str, value: str, token: Token, settings: Settings, where: str) -> None:
    _check_secret(value, where)
    if token.channel is not None and token.channel not in CHANNELS:
        raise SettingsError(f"{where}: channel {token.channel!r} is none of {', '.join(CHANNELS)}")
    _check_rate(token.rate, where)
    digest = sha256(value.encode()).digest()
    if digest in clients:
        raise SettingsError(f"{where}: it is the same token as that of {clients[digest].name!r}")
    sources = token.sources or (name,)
    country = check_country(token.country, where) or settings.collect_country
    allowed = None if token.any_source else frozenset(sources)
    sender = Sender(sources[0], Words(token.touchpoints, token.channel), allowed, country)
    clients[digest] = Client(name, sources, token.any_source, Throttle(token.rate), sender)


def _hook(path: Path, name: str, hook: Webhook) -> Hook:
    where = f"{path}: webhook {name!r}"
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise SettingsError(f"{where}: a name has letters, digits, - and _: it is part of the URL")
    if hook.scheme not in SCHEMES:
        raise SettingsError(f"{where}: scheme {hook.scheme!r} is none of {', '.join(SCHEMES)}")
    if not 0 < hook.tolerance <= 86_400:
        raise SettingsError(f"{where}: tolerance {hook.tolerance:g} is not between 0 and 86400 seconds")
    _check_rate(hook.rate, where)
    value = _secret(path, hook.secret_file, where)
    _check_secret(value, where)
    try:
        mapping = load_mapping(str(path.parent / hook.mapping))
        if mapping.read.format not in (None, "json", "jsonl"):
            raise MappingError(f"read.format is {mapping.read.format}; a webhook sends JSON")
        translator = Translator(mapping, f"webhook:{name}")
    except OSError as error:
        raise SettingsError(f"{where}: {hook.mapping} cannot be read: {error.strerror}") from error
    except RihlaError as error:
        raise SettingsError(f"{where}: {error}") from None
    items = tuple(hook.items.split(".")) if hook.items else ()
    verify = None
    if hook.verify_file is not None:
        verify = _secret(path, hook.verify_file, where)
        _check_secret(verify, where)
        if verify == value:
            raise SettingsError(f"{where}: verify_file has the secret; it goes over the wire, so take another one")
    return Hook(
        name, hook.scheme, value.encode(), hook.tolerance, Throttle(hook.rate), mapping, translator, items,
        None if verify is None else verify.encode(),
    )  # fmt: skip


def _check_secret(value: str, where: str) -> None:
    if len(value) < SHORTEST or not value.isascii() or not value.isprintable():
        raise SettingsError(f"{where}: a secret has at least {SHORTEST} printable characters of ASCII")
    learn(value)


def _check_rate(rate: float | None, where: str) -> None:
    if rate is not None and not 0 < rate <= 1e9:
        raise SettingsError(f"{where}: rate {rate:g} is not between 0 and a thousand million")


def check_country(country: str | None, where: str) -> str | None:
    """The country. Raises SettingsError for one of which no phone numbers are known."""
    import phonenumbers

    if country is not None and country not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(f"{where}: country {country!r} is not two capital letters of ISO 3166-1")
    return country
