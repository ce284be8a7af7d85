"""What a file of routes may say. The published JSON Schema, routes.schema.json, is made of these classes.

Secrets are never in the file: keys that end in `_file` name files that hold them, by a path from the file's own folder.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec

from streams.model.prayer import USUAL_METHOD, Method
from streams.report.period import Kind as Period

Kind = Literal["alert", "case", "move", "segment", "next_action", "breach", "invitation", "message"]
Severity = Literal["low", "medium", "high", "critical"]
State = Literal["raised", "acknowledged", "closed", "entered", "left", "proposed", "withdrawn"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


class Retry(_Strict, frozen=True, kw_only=True):
    """When a failed delivery is tried again."""

    first: str = "1s"
    """Pause after the first failure; it doubles each time, and half of it is random."""
    longest: str = "10m"
    """Longest pause."""
    give_up_after: str = "3d"
    """Time after its record at which a delivery that still fails is dead; `rihla replay deliveries` sends it again."""


class Target(_Strict, frozen=True, kw_only=True):
    """A person or a system that gets messages."""

    together: int = 8
    """Most concurrent deliveries, 1 to 100; those of one alert always follow one another."""
    per_second: float | None = None
    """Most attempts a second: the target's own limit. Left out: no limit."""
    timeout: str = "10s"
    """Longest wait for an answer."""
    retry: Retry = Retry()
    person: str | None = None
    """The person who answers by the link in a message: a name or a staff number. Left out: the page asks."""


class Webhook(Target, frozen=True, kw_only=True, tag_field="type", tag="webhook"):
    """A request over HTTPS: signed, with Rihla's own body, or with a body of yours for a ticket system."""

    SECRETS: ClassVar = ("url_file", "keys_file", "authorization_file")
    url: str | None = None
    """Where it goes. An address that is a secret itself stands in url_file. Its path may have {{ expressions }}, as the
    body may: `https://crm.example.com/contacts/{{ customer_id }}`."""
    url_file: str | None = None
    keys_file: str | None = None
    """Keys of the signature: a line each, `whsec_` and base64; two while they are rotated."""
    authorization_file: str | None = None
    """Value of the header Authorization: `Bearer ...`, `Basic ...`."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = {}
    """Further headers, none of them secret."""
    body: Any = None
    """A JSON body; in its texts, {{ expression }} is filled in: SQL over the fields of the message, as in mappings."""
    insecure: bool = False
    """Let the address begin with http:// too."""
    guests: bool = False
    """Whether it writes to guests: your own messaging system. It gets invitations and approved messages alone, each
    once, while consent holds and outside quiet hours; what it takes counts as sent."""


class Slack(Target, frozen=True, kw_only=True, tag_field="type", tag="slack"):
    """A channel of Slack, by an incoming webhook."""

    SECRETS: ClassVar = ("url_file",)
    url_file: str
    """The webhook's address."""
    insecure: bool = False
    """Let the address begin with http:// too."""


class Teams(Target, frozen=True, kw_only=True, tag_field="type", tag="teams"):
    """A channel of Microsoft Teams, by a workflow's webhook."""

    SECRETS: ClassVar = ("url_file",)
    url_file: str
    """The workflow's address."""
    insecure: bool = False
    """Let the address begin with http:// too."""


class Apprise(Target, frozen=True, kw_only=True, tag_field="type", tag="apprise"):
    """WhatsApp, SMS, Telegram, PagerDuty and some hundred more, by an Apprise URL (extra `deliver`)."""

    SECRETS: ClassVar = ("url_file",)
    url_file: str
    """The URL, as Apprise's own pages say."""


class Email(Target, frozen=True, kw_only=True, tag_field="type", tag="email"):
    """An e-mail over SMTP (extra `deliver`)."""

    SECRETS: ClassVar = ("password_file",)
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """none is for a relay on your own network."""
    username: str | None = None
    password_file: str | None = None
    sender: str
    """Address that it is from."""
    to: list[str]
    """Addresses that it goes to."""


class KafkaTopic(Target, frozen=True, kw_only=True, tag_field="type", tag="kafka"):
    """A topic of the same Kafka, in JSON."""

    SECRETS: ClassVar = ()
    topic: str
    """Its full name; none of Rihla's own. It must be there, and deliver be allowed to write to it."""


class Log(Target, frozen=True, kw_only=True, tag_field="type", tag="log"):
    """A line in the worker's log, for trying things out."""

    SECRETS: ClassVar = ()


AnyTarget = Webhook | Slack | Teams | Apprise | Email | KafkaTopic | Log


class _Matching(_Strict, frozen=True, kw_only=True):
    """Conditions on things. All must hold; those that are left out do not matter."""

    rules: list[str] | None = None
    """Alert rules."""
    severities: list[Severity] | None = None
    """low, medium, high, critical."""
    units: list[str] | None = None
    """Units; `MAKKAH-*` is all that begin so."""
    regions: list[str] | None = None
    """Regions of units (see [units])."""
    brands: list[str] | None = None
    """Brands of alerts, by the model."""
    tiers: list[str] | None = None
    """Loyalty tiers of the customers of alerts."""
    languages: list[str] | None = None
    """Languages in which people of the unit are written to (see [units]): ar, en ..."""


class Route(_Matching, frozen=True, kw_only=True):
    """What is sent where. All conditions must hold; those that are left out do not matter."""

    to: list[str]
    """Names of targets."""
    kinds: tuple[Kind, ...] = ("alert",)
    """alert, case, move, segment, next_action, breach, invitation, message."""
    segments: list[str] | None = None
    """Segments of the model."""
    actions: list[str] | None = None
    """Next actions; the customer must have one of them or more. A target that was told once gets every change."""
    states: list[State] | None = None
    """raised, acknowledged, closed: which news of an alert or a case; entered, left: of a segment;
    proposed, withdrawn: of next actions."""
    hours: str | None = None
    """From and until, `08:00-20:00`; `20:00-08:00` is the night. By the clock of `zone`."""
    days: list[Day] | None = None
    """mon to sun, by the same clock; a night belongs to the day on which it begins."""
    zone: str | None = None
    """IANA time zone of hours and days; left out: that of the unit, else UTC."""
    identifiers: bool = False
    """Whether the message may name the customer, the journey and the event."""


class Escalation(_Matching, frozen=True, kw_only=True):
    """Targets that get an alert which nobody has taken for some time. All conditions must hold, as for a route."""

    after: str
    """Time after it was raised: `15m`, `1h`, `1d`."""
    to: list[str]
    """Names of targets."""
    working: bool = False
    """Count only the time that the unit works: `hours`, `days` and `holidays` of [units]."""
    identifiers: bool = False
    """Whether the message may name the customer, the journey and the event."""


class Report(_Strict, frozen=True, kw_only=True):
    """A management report of each period that has ended, to targets. ClickHouse is asked for it: RIHLA_CLICKHOUSE."""

    name: str
    """What it is called here: small letters, digits and -. Under another name it is another report."""
    period: Period
    """day, week (from Monday), month, quarter or year; days are UTC's, as those of `rihla report`."""
    to: list[str]
    """Names of targets: e-mail gets it as a file, a webhook in the body, chats its summary."""
    units: list[str] = []
    """A report each of these units; left out: one of all together."""
    at: str = "07:00"
    """When it is due on the first day after the period, by the clock of the unit (see [units]), else UTC."""
    language: Literal["en", "ar"] | None = None
    """Left out: that of the unit if it is one of these, else English."""
    attach: Literal["html", "pdf"] = "html"
    """pdf is Chromium's print, so it must be there; where it is not, HTML goes out."""
    identifiers: bool = False
    """Whether it may name customers."""


class Breaches(_Strict, frozen=True, kw_only=True):
    """How targets of the model that were missed are found, for routes of kind `breach`."""

    every: str = "1h"
    """How often ClickHouse is asked."""


class Storm(_Matching, frozen=True, kw_only=True):
    """Many alerts of one rule at one unit, each soon after the other, that are sent as one incident."""

    customers: int = 5
    """From this many customers on, their alerts are one incident; 2 or more."""
    within: str = "30m"
    """Longest pause between two causes."""
    hold: str = "3s"
    """How long an alert is held back to see whether more follow; `0s`: it is sent at once."""
    every: str = "1m"
    """Shortest time between two messages about one incident."""


class Unit(_Strict, frozen=True, kw_only=True):
    """A property, a station, a desk."""

    zone: str | None = None
    """IANA time zone."""
    region: str | None = None
    """Region that it is in, for routes by `regions`."""
    language: str | None = None
    """Language of its staff: ar, en, id, ms, tr, ur."""
    hours: str | None = None
    """When it works, `07:00-23:00`, by its zone; left out: day and night. For escalations that count working time."""
    days: list[Day] | None = None
    """On which days; left out: on all."""
    holidays: list[str] = []
    """Days on which it does not: `2027-03-10`."""
    prayer: str | None = None
    """How long it does not work from each of the five times of prayer on, `20m`; on Friday noon twice as long."""
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    """Degrees, north positive: for times of prayer."""
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    """Degrees, east positive."""
    prayer_method: Method = USUAL_METHOD
    """How its times of prayer are reckoned."""


class Egress(_Strict, frozen=True, kw_only=True):
    """Where deliver may connect to besides the public addresses of its targets."""

    private: list[str] = []
    """Addresses and networks that are private, link-local or this machine: `10.1.0.0/16`, `127.0.0.1`."""


class Routes(_Strict, frozen=True, kw_only=True):
    """A file of routes."""

    targets: dict[str, AnyTarget]
    routes: list[Route] = []
    units: dict[str, Unit] = {}
    escalations: list[Escalation] = []
    storms: list[Storm] = []
    reports: list[Report] = []
    breaches: Breaches = Breaches()
    egress: Egress = Egress()
    version: Literal[1] = 1
    """Of this form of file."""
