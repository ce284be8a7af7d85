"""The pure core of deliver: matching, signatures, schedules, messages, state, addresses, and the file of routes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.deliver import egress, routes, schema, sign, state, template
from streams.deliver.chat import slack, teams
from streams.deliver.lane import OPEN_FIRST, Failure, Item, Lane, Schedule
from streams.deliver.mail import written
from streams.deliver.match import targets_of
from streams.deliver.message import Message, message
from streams.deliver.model import Email
from streams.deliver.senders import retry_pause
from tests.support.deliveries import ALERT, CASE, MOVE

KEY = base64.b64encode(bytes(range(32))).decode()
FILE = """
[targets.desk]
type = "webhook"
url = "https://hooks.example.com/rihla"
keys_file = "keys"

[targets.night]
type = "log"

[units.MAKKAH-01]
zone = "Asia/Riyadh"
language = "ar"

[[routes]]
to = ["desk"]
severities = ["high", "critical"]
hours = "08:00-20:00"

[[routes]]
to = ["night"]
hours = "20:00-08:00"
days = ["fri"]
zone = "Asia/Riyadh"
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def made(text: str, tmp_path: Path) -> routes.Book:
    (tmp_path / "keys").write_text(f"whsec_{KEY}\n")
    (tmp_path / "url").write_text("https://hooks.slack.example/services/T/B/C\n")
    (tmp_path / "routes.toml").write_text(text)
    return routes.load(str(tmp_path / "routes.toml"))


@pytest.mark.parametrize(
    ("time", "said", "told", "expected"),
    [
        ("2025-03-03T09:00:00", {}, (), {"desk"}),  # noon in Riyadh
        ("2025-03-03T18:00:00", {}, (), set()),  # 21:00 there, a Monday
        ("2025-03-03T18:00:00", {}, ("desk",), {"desk"}),  # who was told hears how it goes on, at any hour
        ("2025-03-07T18:00:00", {}, (), {"night"}),  # a Friday evening
        ("2025-03-08T03:00:00", {}, (), {"night"}),  # 06:00 on Saturday: Friday's night
        ("2025-03-07T03:00:00", {}, (), set()),  # 06:00 on Friday: Thursday's night
        ("2025-03-03T09:00:00", {"severity": "low"}, (), set()),
        ("2025-03-03T09:00:00", {"unit": None}, (), {"desk"}),  # 09:00 UTC
        ("2025-03-03T06:00:00", {"unit": None}, (), set()),  # 06:00 UTC, for want of a zone
    ],
)
def test_hours_and_severities(time: str, said: dict[str, Any], told: Any, expected: set[str], tmp_path: Path) -> None:
    book = made(FILE, tmp_path)
    assert set(targets_of(book.routes, "alert", {**ALERT, **said}, at(time), told)) == expected


@pytest.mark.parametrize(
    ("condition", "kind", "thing", "holds"),
    [
        ('rules = ["halal_breach"]', "alert", ALERT, True),
        ('rules = ["detractor"]', "alert", ALERT, False),
        ('units = ["MAKKAH-*"]', "alert", ALERT, True),
        ('units = ["JED-*"]', "alert", ALERT, False),
        ('languages = ["ar", "ur"]', "alert", ALERT, True),
        ('languages = ["en"]', "alert", ALERT, False),
        ('states = ["closed"]', "alert", ALERT, False),
        ('states = ["closed"]', "alert", {**ALERT, "closed_at": 5}, True),
        ('states = ["acknowledged"]', "alert", {**ALERT, "acknowledged_at": 5}, True),
        ("", "case", CASE, False),
        ('kinds = ["case", "move"]', "case", CASE, True),
        ('kinds = ["case", "move"]', "move", MOVE, True),
        ('kinds = ["case"]\nstates = ["closed"]', "case", {**CASE, "withdrawn": True}, True),
    ],
)
def test_conditions(condition: str, kind: str, thing: dict[str, Any], holds: bool, tmp_path: Path) -> None:
    text = FILE[: FILE.index("[[routes]]")] + f'[[routes]]\nto = ["night"]\nidentifiers = true\n{condition}\n'
    assert targets_of(made(text, tmp_path).routes, kind, thing, 0) == ({"night": True} if holds else {})


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('url = "https://hooks.example.com/rihla"', 'url = "http://hooks.example.com"', 4, "insecure = true"),
        ('url = "https://hooks.example.com/rihla"', 'url = "https://10.0.0.7/x"', 2, "private"),
        ('url = "https://hooks.example.com/rihla"', 'url = "https://me:pw@h.example/x"', 4, "authorization_file"),
        ('keys_file = "keys"', 'keys_file = "nothing-there"', 5, "cannot be read"),
        ('keys_file = "keys"', 'colour = "red"', 5, "no such key"),
        ('keys_file = "keys"', 'headers = { Host = "x" }', 2, "signature"),
        ('type = "log"', 'type = "pigeon"', 8, "pigeon"),
        ('zone = "Asia/Riyadh"\nlanguage', 'zone = "Asia/Mecca"\nlanguage', 11, "IANA"),
        ('to = ["desk"]', 'to = ["dusk"]', 15, "there are desk, night"),
        ('hours = "08:00-20:00"', 'hours = "8-20"', 17, "08:00-20:00"),
        ('severities = ["high", "critical"]', 'severities = ["grave"]', 16, "grave"),
        ('hours = "20:00-08:00"', "hours = 20", 21, "str"),
        ('days = ["fri"]', "days = []", 22, "leave it out"),
        ("[[routes]]", "[[routes]", 14, "TOML"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(old: str, new: str, line: int, says: str, tmp_path: Path) -> None:
    with pytest.raises(routes.RoutesError) as told:
        made(FILE.replace(old, new, 1), tmp_path)
    assert str(told.value).startswith(f"{tmp_path / 'routes.toml'}:{line}: ")
    assert says in str(told.value)
    assert told.value.hint


def test_a_secret_is_in_no_message(tmp_path: Path) -> None:
    text = FILE.replace('type = "log"', 'type = "slack"\nurl_file = "url"')
    book = made(text, tmp_path)
    assert book.url("night") == "https://hooks.slack.example/services/T/B/C"
    (tmp_path / "url").write_text("ftp://hunter2.example/x")
    (tmp_path / "keys").write_text("hunter2hunter2!!")
    with pytest.raises(routes.RoutesError) as told:
        routes.load(str(tmp_path / "routes.toml"))
    assert "hunter2" not in str(told.value)


def test_the_schema_is_published_as_it_is() -> None:
    assert schema.FILE.read_text("utf-8") == schema.text()
    assert json.loads(schema.text())["$defs"]["Route"]["properties"]["hours"]["description"]


def test_signatures_are_those_of_the_scheme() -> None:
    """By the scheme's own words: HMAC-SHA256 over id.timestamp.body, in base64, one for each key."""
    old, new = b"o" * 32, b"n" * 24
    text = "\n".join(base64.b64encode(key).decode() for key in (new, old))
    made = sign.headers(sign.keys_of(text), "alert.a1.3", 1_700_000_000, b'{"a":1}')
    expected = [
        "v1," + base64.b64encode(hmac.new(key, b'alert.a1.3.1700000000.{"a":1}', hashlib.sha256).digest()).decode()
        for key in (new, old)
    ]
    assert made == {
        "webhook-id": "alert.a1.3",
        "webhook-timestamp": "1700000000",
        "webhook-signature": " ".join(expected),
    }


@pytest.mark.parametrize("text", ["", "a b", f"{KEY}\n{KEY}\n{KEY}", base64.b64encode(b"short").decode()])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(sign.SigningKeyError):
        sign.keys_of(text)


def test_the_example_of_standard_webhooks() -> None:
    """The example that the scheme's libraries are tested with."""
    keys = sign.keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = sign.headers(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        *((one, True) for one in ("93.184.216.34", "2606:2800:220:1::1", "1.1.1.1")),
        *((one, False) for one in ("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1")),
        *((one, False) for one in ("192.168.0.1", "169.254.169.254", "fe80::1", "fe80::1%eth0", "fc00::1")),
        *((one, False) for one in ("100.64.0.1", "224.0.0.1", "ff02::1", "255.255.255.255", "192.0.2.1")),
        *((one, False) for one in ("64:ff9b:1::7f00:1", "::7f00:1", "::ffff:0:7f00:1", "fec0::1", "::a9fe:a9fe")),
        *((one, False) for one in ("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1")),
        *((one, False) for one in ("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "fd00:ec2::254")),
        *((one, False) for one in ("192.168.7.5", "::ffff:192.168.7.5", "nonsense", "198.18.0.1", "240.0.0.1")),
    ],
)
def test_addresses(address: str, allowed: bool) -> None:
    assert (egress.refusal(address) is None) is allowed
    named = [egress.network("192.168.7.0/29"), egress.network("fd00::/8")]
    inside = address.endswith("192.168.7.5") or address == "fd00:ec2::254"
    assert (egress.refusal(address, named) is None) is (allowed or inside)


def test_of_a_host_only_the_judged_addresses_are_left() -> None:
    assert egress.judged("h", ["127.0.0.1", "1.1.1.1"], []) == ["1.1.1.1"]
    with pytest.raises(egress.EgressError, match="this machine"):
        egress.judged("rebound.example", ["127.0.0.1"], [])
    with pytest.raises(egress.EgressError, match="no address"):
        egress.judged("h", [], [])


def test_a_message_names_nobody_unless_the_route_says_so() -> None:
    for kind, id_, thing in (("alert", "a1", ALERT), ("case", "C-1001/K-9", CASE), ("move", "m1", MOVE)):
        closed = message(kind, id_, 7, thing, False)
        clear = message(kind, id_, 7, thing, True)
        shown = json.dumps(closed.body) + closed.text + closed.subject + closed.key
        assert "C-1001" not in shown
        assert "e-77" not in shown
        assert "C-1001" in json.dumps(clear.body)
        assert closed.key == clear.key, "the key of a version is the same for all"
        assert closed.key.endswith(".7")
        assert closed.body["type"] == f"{kind}.{'observed' if kind == 'move' else 'raised'}"
    assert closed.body["timestamp"] == "2025-03-03T14:05:00.000Z"


def test_templates_fill_in_what_the_message_has() -> None:
    fields = message("alert", "a1", 7, {**ALERT, "reason": 'he said "no"'}, False).fields
    body = {
        "ticket": {
            "subject": "{{ severity || ': ' || rule }} ({{unit}})",
            "external_id": "{{ key }}",
            "priority": "{{ CASE WHEN severity = 'critical' THEN 'urgent' ELSE 'normal' END }}",
            "comment": {"body": "{{reason}}", "public": False},
            "requester": "{{ customer_id }}",
            "tags": ["rihla", "{{rule}}"],
        }
    }
    template.check(body)
    assert template.fill(body, fields) == {
        "ticket": {
            "subject": "critical: halal_breach (MAKKAH-01)",
            "external_id": "alert.a1.7",
            "priority": "urgent",
            "comment": {"body": 'he said "no"', "public": False},
            "requester": None,
            "tags": ["rihla", "halal_breach"],
        }
    }


@pytest.mark.parametrize("text", ["{{ colour }}", "{{ count(*) }}", "{{ SELECT 1 }}", "{{ sum(key) }}"])
def test_templates_that_no_message_fills(text: str) -> None:
    with pytest.raises(template.TemplateError):
        template.check({"a": [text]})


def test_chats_and_mails() -> None:
    told = message("alert", "a1", 7, {**ALERT, "reason": "<b>&"}, False)
    assert "&lt;b&gt;&amp;" in slack(told)["blocks"][0]["text"]["text"]
    assert teams(told)["attachments"][0]["content"]["body"][1]["text"] == "<b>&"
    target = Email(host="smtp.example.com", sender="rihla@example.com", to=["a@example.com", "b@example.com"])
    mail = written(target, Message("alert.a1.7", {}, "two\nlines", "text"))
    assert mail["Subject"] == "two lines"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == "<alert.a1.7@example.com>"
    assert mail.get_content() == "text\n"


@pytest.mark.parametrize(
    ("text", "pause"),
    [("3", 3_000), (" 120 ", 120_000), ("Sun, 09 Sep 2001 01:46:50 GMT", 10_000), ("soon", None), (None, None)],
)
def test_retry_after(text: str | None, pause: int | None) -> None:
    assert retry_pause(text, 1_000_000_000.0) == pause


def test_a_target_that_asks_for_a_pause_gets_it() -> None:
    lane = Lane(Schedule(), 8, random.Random(1))
    for number in range(3):
        lane.add(Item(0, b"%d" % number, 1, since=0))
    first, *others = lane.take(0)
    lane.failed(first, 0, Failure("answered 429", 429, retry_after=90_000))
    for item in others:
        lane.succeeded(item)
    lane.add(Item(0, b"new", 1, since=0))
    assert lane.take(89_999) == []
    assert lane.wake() == 90_000
    assert len(lane.take(90_000)) == 2
    assert not lane.circuit.is_open


def test_what_was_under_way_when_the_circuit_opened_keeps_it_open_no_longer() -> None:
    lane = Lane(Schedule(), 32, random.Random(1))
    for number in range(32):
        lane.add(Item(0, b"%d" % number, 1, since=0))
    for item in lane.take(0):  # the receiver dies with all of them on their way
        lane.failed(item, 10, Failure("connection refused"))
    assert lane.circuit.is_open
    assert (lane.wake() or 0) <= 10 + OPEN_FIRST
    (trial,) = lane.take(10 + OPEN_FIRST)
    lane.failed(trial, 20 + OPEN_FIRST, Failure("connection refused"))
    assert lane.take(20 + OPEN_FIRST + OPEN_FIRST) == [], "every failed trial waits longer than the one before"
    (trial,) = lane.take(20 + 3 * OPEN_FIRST)
    lane.succeeded(trial)
    assert len(lane.take(20 + 3 * OPEN_FIRST)) == 31


def test_pauses_double_and_what_fails_too_long_is_dead() -> None:
    schedule, rng = Schedule(first=1_000, longest=8_000, give_up_after=60_000), random.Random(1)
    for attempts, whole in enumerate((1_000, 2_000, 4_000, 8_000, 8_000), start=1):
        assert all(whole / 2 <= schedule.pause(attempts, rng) <= whole for _ in range(50))
    lane = Lane(schedule, 1, rng)
    lane.add(Item(0, b"a", 1, since=0))
    lane.add(Item(0, b"a", 2, since=59_000))
    (item,) = lane.take(0)
    assert lane.failed(item, 1, Failure("x")) == "retry"
    (item,) = lane.take(60_000)
    assert lane.failed(item, 60_000, Failure("x")) == "dead"
    (second,) = lane.take(60_000)
    assert second.version == 2


def test_state_takes_each_version_once_and_keeps_what_is_left_to_do() -> None:
    entry = state.take(None, "alert", "a1", 1, ALERT, {"desk": False, "mail": True}, 10, 20)
    assert entry is not None
    assert state.take(state.decode(state.encode(entry)), "alert", "a1", 1, ALERT, {"desk": False}, 10, 20) is None
    entry = state.take(entry, "alert", "a1", 2, ALERT, {"desk": False}, 11, 21)
    assert entry is not None
    entry = state.decode(state.encode(entry))
    assert [(one.target, one.version) for one in entry.unsent()] == [("desk", 1), ("mail", 1), ("desk", 2)]
    first = entry.of("desk", 1)
    assert first is not None
    first.changed(state.DELIVERED, 30, 1, 200)
    entry.delivered(first)
    entry.settle()
    assert sorted(entry.things) == [1, 2]
    assert entry.told["desk"].sent == 1
    assert entry.of("desk", 1) is None


def test_a_rebuilt_history_tells_nobody_again_what_they_know() -> None:
    again = state.full_version(1, 1)
    entry = state.take(None, "alert", "a1", 5, ALERT, {"desk": False}, 10, 20)
    entry = state.take(entry, "alert", "a1", again, {**ALERT, "version": 1}, {"desk": False, "mail": False}, 10, 20)
    assert entry is not None
    assert [(one.target, one.version) for one in entry.deliveries] == [("desk", 5), ("mail", again)]


def test_the_dead_wait_again_unless_something_later_has_arrived() -> None:
    entry = state.take(None, "alert", "a1", 1, ALERT, {"desk": False}, 10, 20)
    entry = state.take(entry, "alert", "a1", 2, ALERT, {"desk": False}, 10, 20)
    assert entry is not None
    for one in entry.deliveries:
        one.changed(state.DEAD, 100, 9, None, "x" * 1000)
    assert len(entry.deliveries[0].error or "") == state.DETAIL
    assert entry.revive("mail", 1_000, 2_000) == []
    assert entry.revive("desk", 99, 2_000) == []
    assert [one.version for one in entry.revive("desk", 1_000, 2_000)] == [1, 2]
    assert [one.status for one in entry.deliveries] == [state.WAITING] * 2
    entry.deliveries[0].changed(state.DEAD, 3_000, 9)
    entry.deliveries[1].changed(state.DELIVERED, 3_000, 1)
    entry.delivered(entry.deliveries[1])
    assert entry.revive("desk", 9_000, 9_000) == []


@pytest.mark.parametrize("version", [-1, 1 << 44, 2**63 - 1, -(2**63)])
def test_a_version_that_could_not_be_published_is_of_its_record(version: int) -> None:
    """The state with it would be durable, and every later start would fail at it."""
    with pytest.raises(OverflowError):
        state.full_version(1, version)


SEGMENT = {"customer_id": "C/1", "segment": "vip", "member": True, "occurred_at": 5, "version": 1}


def test_a_segment_is_an_upsert_by_key(tmp_path: Path) -> None:
    text = FILE[: FILE.index("[[routes]]")] + '[[routes]]\nto = ["night"]\nkinds = ["segment"]\nsegments = ["vip"]\n'
    with pytest.raises(routes.RoutesError, match="identifiers = true"):
        made(text, tmp_path)
    book = made(text + "identifiers = true\n", tmp_path)
    assert targets_of(book.routes, "segment", SEGMENT, 0) == {"night": True}
    assert targets_of(book.routes, "segment", {**SEGMENT, "segment": "other"}, 0) == {}
    told = message("segment", "C/1/vip", 7, {**SEGMENT, "member": False}, clear=True)
    assert told.body["type"] == "segment.left"
    assert (told.fields["customer_id"], told.fields["member"], told.fields["segment"]) == ("C/1", False, "vip")
    assert "C/1" not in told.key
    assert template.fill_path("https://crm.example/{{ customer_id }}/x", told.fields) == "https://crm.example/C%2F1/x"
    with pytest.raises(routes.RoutesError, match="only the path"):
        made(FILE.replace("https://hooks.example.com/rihla", "https://{{ customer_id }}.example.com/"), tmp_path)


def test_who_is_erased_has_left_where_they_had_entered() -> None:
    entry = state.take(None, "segment", "C/1/vip", 9, SEGMENT, {"crm": True}, 0, 0)
    assert entry is not None
    assert not entry.is_over(1 << 60), "the target has it for as long"
    entry.withdraw(5)
    (left,) = entry.unsent()
    assert (left.target, left.version) == ("crm", 10)
    assert entry.things[10] == {"customer_id": "C/1", "segment": "vip", "member": False, "occurred_at": 5}
    entry.withdraw(6)
    assert len(entry.deliveries) == 1
    gone = state.take(None, "segment", "C/1/vip", 9, {**SEGMENT, "member": False}, {"crm": True}, 0, 0)
    assert gone is not None
    gone.withdraw(5)
    assert not gone.deliveries


def test_attempts_a_second() -> None:
    lane = Lane(Schedule(), 100, random.Random(1), spacing=100.0)
    for number in range(40):
        lane.add(Item(0, b"%d" % number, 1, 0))
    assert len(lane.take(10_000)) == 11
    assert lane.take(10_050) == []
    wake = lane.wake()
    assert wake is not None
    assert len(lane.take(wake)) == 1
    assert len(lane.take(wake + 500)) == 5
