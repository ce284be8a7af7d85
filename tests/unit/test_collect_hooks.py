"""Webhooks: whose request it is, by each scheme, and what comes of it by its mapping."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from hashlib import sha256
from pathlib import Path

import pytest

from streams.collect.configuration import access_of
from streams.collect.signatures import SCHEMES, TOLERANCE, BadSignature, Request
from streams.settings import Settings, SettingsError
from tests.support.collector import serving

SECRET = b"a-secret-that-is-long-enough"
BODY = b'{"id": 1}'
NOW = 1_700_000_000.0


def hexadecimal(signed: bytes, secret: bytes = SECRET) -> str:
    return hmac.digest(secret, signed, "sha256").hex()


def base_64(signed: bytes, secret: bytes = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def stripe(at: float) -> dict[str, str]:
    return {"stripe-signature": f"t={at:.0f},v0=00,v1={hexadecimal(b'%d.' % at + BODY)}"}


def zendesk(at: float) -> dict[str, str]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return {
        "x-zendesk-webhook-signature": base_64(stamp.encode() + BODY),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }


def hubspot(at: float) -> dict[str, str]:
    stamp = f"{at * 1000:.0f}"
    signed = base_64(b"POSThttps://in.example.com/v1/hooks/crm?of=a b" + BODY + stamp.encode())
    return {"x-hubspot-signature-v3": signed, "x-hubspot-request-timestamp": stamp, "host": "in.example.com"}


def standard(at: float) -> dict[str, str]:
    signed = base_64(b"msg.%d." % at + BODY)
    return {"webhook-id": "msg", "webhook-timestamp": f"{at:.0f}", "webhook-signature": f"v1,AAAA v1,{signed}"}


TIMED = {"stripe": stripe, "zendesk": zendesk, "hubspot": hubspot, "standard-webhooks": standard}
UNTIMED = {
    "github": {"x-hub-signature-256": f"sha256={hexadecimal(BODY)}"},
    "typeform": {"typeform-signature": f"sha256={base_64(BODY)}"},
    "shopify": {"x-shopify-hmac-sha256": base_64(BODY)},
    "hmac-sha256": {"x-signature": hexadecimal(BODY)},
}


def check(scheme: str, headers: dict[str, str], body: bytes = BODY, secret: bytes = SECRET, now: float = NOW) -> None:
    request = Request(headers, {}, body, target="/v1/hooks/crm?of=a%20b")
    SCHEMES[scheme](request, secret, now, TOLERANCE)


def test_every_scheme_is_tried_here() -> None:
    assert {*TIMED, *UNTIMED, "mews"} == {*SCHEMES}


@pytest.mark.parametrize("scheme", [*TIMED, *UNTIMED])
def test_only_who_knows_the_secret_is_let_in_with_what_was_signed(scheme: str) -> None:
    headers = TIMED[scheme](NOW) if scheme in TIMED else UNTIMED[scheme]
    check(scheme, headers)
    for name in headers:
        with pytest.raises(BadSignature, match="missing"):
            check(scheme, {other: value for other, value in headers.items() if other != name})
        with pytest.raises(BadSignature):
            check(scheme, {**headers, name: "garbage"})
        for odd in ("²", "t=²,v1=00", "t=" + "9" * 5000, "9" * 5000, "sha256=é", "v1,é", "\x00", "t=1,t=1"):
            with pytest.raises(BadSignature):  # what HTTP lets through as Latin-1, of whoever
                check(scheme, {**headers, name: odd})
    with pytest.raises(BadSignature, match="wrong"):
        check(scheme, headers, body=b'{"id": 2}')
    with pytest.raises(BadSignature, match="wrong"):
        check(scheme, headers, secret=b"another-secret-of-this-length")


@pytest.mark.parametrize("prefix", [b"", b"whsec_"])
def test_a_secret_of_standard_webhooks_is_base64_with_or_without_its_prefix(prefix: bytes) -> None:
    """As the specification's own libraries read it; a sender that signs with the text itself is let in by the text."""
    text = base64.b64encode(SECRET)
    headers = standard(NOW)
    check("standard-webhooks", headers, secret=prefix + text)
    with pytest.raises(BadSignature, match="wrong"):
        check("standard-webhooks", headers, secret=prefix + base64.b64encode(b"another-secret-of-this-length"))
    by_text = headers | {"webhook-signature": f"v1,{base_64(b'msg.%d.' % NOW + BODY, text)}"}
    if not prefix:
        check("standard-webhooks", by_text, secret=text)
    with pytest.raises(BadSignature, match="not base64"):
        check("standard-webhooks", headers, secret=b"whsec_" + SECRET)


@pytest.mark.parametrize("scheme", TIMED)
@pytest.mark.parametrize("off", [-TOLERANCE - 2, TOLERANCE + 2])
def test_an_old_request_is_not_let_in_again(scheme: str, off: float) -> None:
    with pytest.raises(BadSignature, match="signed more than 300 s"):
        check(scheme, TIMED[scheme](NOW), now=NOW + off)


def test_mews_has_a_token_in_the_url() -> None:
    SCHEMES["mews"](Request({}, {"token": SECRET.decode()}, BODY), SECRET, NOW, TOLERANCE)
    for query in ({}, {"token": ""}, {"token": "a-secret"}):
        with pytest.raises(BadSignature):
            SCHEMES["mews"](Request({}, query, BODY), SECRET, NOW, TOLERANCE)


MAPPING = """
source = "mews"
[read]
country_code = "966"
[[events]]
name = "reservation"
when = "state = 'Confirmed'"
event_id = "id"
touchpoint = { value = "booking.confirmed" }
medium = { value = "partner" }
occurred_at = "at"
booking_ref = "number"
ids = [{ kind = "email_sha256", column = "guest.email" }, { kind = "loyalty", column = "guest.card" }]
text = "note"
"""


def test_a_webhook_s_items_become_events_or_dead_letters(tmp_path: Path) -> None:
    (tmp_path / "mews.toml").write_text(MAPPING)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "collect.toml").write_text(
        '[webhooks.mews]\nmapping = "mews.toml"\nscheme = "stripe"\nsecret_file = "secret"\nitems = "Events"\n'
    )
    access = access_of(Settings(collect_config=str(tmp_path / "collect.toml")))
    good = {
        "id": "r-1",
        "state": "Confirmed",
        "at": "2025-02-01T09:30:00Z",
        "number": "R-1",
        "guest": {"email": "Amina@Example.com", "card": "L-1"},
        "note": "reach me at amina@example.com",
    }
    items = [
        good,
        {**good, "id": "r-2", "at": "yesterday"},
        {**good, "state": "Optional"},
        {**good, "id": "r-3", "guest": {"card": "zaid@example.com"}},
        5,
    ]
    body = json.dumps({"Events": items}).encode()

    async def run() -> None:
        async with serving(access) as on:
            now = int(time.time())
            signed = {"Stripe-Signature": f"t={now},v1={hexadecimal(b'%d.' % now + body)}"}
            assert (await on.post("/v1/webhooks/other", body, **signed))[0] == 404
            assert (await on.post("/v1/webhooks/mews", body))[0] == 401
            assert on.kept.parts == []
            status, told = await on.post("/v1/webhooks/mews", body, **signed)
            assert (status, told) == (202, {"accepted": 1, "dead_letters": 3, "ignored": 1})
            (event,) = on.kept.events("booking")
            digest = sha256(b"amina@example.com").hexdigest()
            assert sorted((one["kind"], one["value"]) for one in event["ids"]) == [
                ("email_sha256", digest),
                ("loyalty", "L-1"),
            ]
            letters = on.kept.events("dead-letters")
            assert {letter["topic"] for letter in letters} == {"webhook:mews"}
            assert sorted(letter["reason"] for letter in letters) == ["bad_time", "clear_identifier", "undecodable"]
            every = b"".join(value for part in on.kept.parts for value in part.values).lower()
            assert b"amina@" not in every
            assert b"zaid@" not in every
            assert (await on.post("/v1/webhooks/mews", b"{", **signed))[0] == 401, "it is the signature of another body"

    asyncio.run(run())


def test_hubspot_signs_the_address_that_it_called(tmp_path: Path) -> None:
    """developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation, version 3."""
    (tmp_path / "m.toml").write_text(MAPPING)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "collect.toml").write_text(
        '[webhooks.crm]\nmapping = "m.toml"\nscheme = "hubspot"\nsecret_file = "secret"\n'
    )

    async def run() -> None:
        async with serving(access_of(Settings(collect_config=str(tmp_path / "collect.toml")))) as on:
            stamp = f"{time.time() * 1000:.0f}"
            signed = base_64(f"POST{on.url}/v1/webhooks/crm?of=a b".encode() + BODY + stamp.encode())
            headers = {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp}
            assert (await on.post("/v1/webhooks/crm?of=a%20b", BODY, **headers))[0] == 202
            for target in ("/v1/webhooks/crm", "/v1/webhooks/crm?of=a%20c"):
                assert (await on.post(target, BODY, **headers))[0] == 401

    asyncio.run(run())


def test_meta_s_question_is_answered_with_its_challenge(tmp_path: Path) -> None:
    """developers.facebook.com/docs/graph-api/webhooks/getting-started: GET, when a webhook is set up."""
    (tmp_path / "m.toml").write_text(MAPPING)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "verify").write_text("another-secret-of-ours\n")
    text = '[webhooks.wa]\nmapping = "m.toml"\nscheme = "github"\nsecret_file = "secret"\nverify_file = "{}"\n'
    path = tmp_path / "collect.toml"
    path.write_text(text.format("secret"))
    with pytest.raises(SettingsError, match="take another one"):
        access_of(Settings(collect_config=str(path)))
    path.write_text(
        text.format("verify") + '[webhooks.m]\nmapping = "m.toml"\nscheme = "mews"\nsecret_file = "secret"\n'
    )
    access = access_of(Settings(collect_config=str(path)))
    right = {"hub.mode": "subscribe", "hub.verify_token": "another-secret-of-ours", "hub.challenge": "1158201444"}

    async def run() -> None:
        async with serving(access) as on:

            async def ask(name: str, query: dict[str, str]) -> tuple[int, str, str]:
                async with on.http.get(f"{on.url}/v1/webhooks/{name}", params=query) as answer:
                    return answer.status, answer.content_type, await answer.text()

            assert await ask("wa", right) == (200, "text/plain", "1158201444")
            for wrong in (
                {"hub.verify_token": "guess"},
                {"hub.mode": "unsubscribe"},
                {"hub.challenge": "<script>"},
                {"hub.challenge": ""},
            ):
                status, _, said = await ask("wa", right | wrong)
                assert (status, "another-secret" in said) == (403, False)
            assert (await ask("m", right))[0] == 404
            assert (await ask("none", right))[0] == 404

    asyncio.run(run())


def test_what_is_no_json_is_kept(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "collect.toml").write_text(
        '[webhooks.m]\nmapping = "m.toml"\nscheme = "mews"\nsecret_file = "secret"\nrate = 0.01\n'
    )
    access = access_of(Settings(collect_config=str(tmp_path / "collect.toml")))

    async def run() -> None:
        async with serving(access) as on:
            path = f"/v1/webhooks/m?token={SECRET.decode()}"
            statuses = [(await on.post(path, b"{ amina@example.com"))[0] for _ in range(2)]
            assert statuses == [202, 429]
            letters = on.kept.events("dead-letters")
            assert [letter["reason"] for letter in letters] == ["undecodable"]
            assert letters[0]["payload"] == b"{ [email]"

    asyncio.run(run())
