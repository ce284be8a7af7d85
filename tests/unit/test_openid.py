"""Signing in by company accounts: which are let in as whom, and which tokens, codes and browsers are not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from joserfc.jwk import OctKey, RSAKey

from streams.serve import openid, openid_provider
from streams.serve.openid import Accounts, OpenIdError, Refused, load
from streams.serve.openid_provider import Provider
from tests.support.desk import Hotel, hotel
from tests.support.openid import CLIENT, GRANTS, SECRET, FakeProvider

AGENT = {"sub": "u-1", "preferred_username": "amina", "groups": ["staff", "front-desk"]}
MANAGER = {"sub": "u-2", "email": "o@example.com", "realm_access": {"roles": ["manager"]}, "units": ["Corniche"]}


@asynccontextmanager
async def desk(folder: Path, **provider: Any) -> AsyncIterator[tuple[FakeProvider, Hotel, ClientSession]]:
    """A provider, a desk that trusts it, and a browser without pages."""
    async with FakeProvider(**provider).running() as fake:
        client = load(fake.file(folder))
        jar = CookieJar(unsafe=True)
        async with (
            hotel(folder, company=(Provider(client), Accounts(client.config))) as served,
            ClientSession(cookie_jar=jar) as session,
        ):
            yield fake, served, session


async def sign_in(served: Hotel, session: ClientSession) -> str:
    """The page that one ends at says where it goes on."""
    async with session.get(f"{served.url}/desk/company") as answer:
        return (await answer.text()).partition("url=")[2].partition('"')[0]


async def me(served: Hotel, session: ClientSession) -> dict[str, Any] | None:
    async with session.get(f"{served.url}/desk/data/me") as answer:
        return await answer.json() if answer.status == 200 else None


async def test_accounts_are_who_their_groups_say(tmp_path: Path) -> None:
    async with desk(tmp_path, claims=AGENT) as (fake, served, session):
        assert await me(served, session) is None
        assert await sign_in(served, session) == "/desk"
        known = await me(served, session)
        assert known is not None
        assert (known["name"], known["role"], known["units"]) == ("amina", "agent", ["Makkah Towers"])
        fake.claims = MANAGER
        assert await sign_in(served, session) == "/desk"
        known = await me(served, session)
        assert known is not None
        assert (known["name"], known["role"], known["units"]) == ("o@example.com", "manager", ["Corniche"])
        assert fake.asked == ["metadata", "keys"], "they are kept"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "u-3", "groups": ["kitchen"]},
        {"sub": "u-3", "groups": "front-desk-of-another"},
        {"sub": "u-3", "realm_access": {"roles": ["manager"]}},  # units_claim, and no units
        {"sub": "u-3", "realm_access": {"roles": ["manager"]}, "units": [1]},
        {"sub": "u-3", "realm_access": ["manager"]},
    ],
)
async def test_others_are_not_let_in(tmp_path: Path, claims: dict[str, Any]) -> None:
    async with desk(tmp_path, claims=claims) as (_, served, session):
        assert await sign_in(served, session) == "/desk#sign_in=refused"
        assert await me(served, session) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.example.com"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},  # and no azp
        {"azp": "another-client"},
        {"nonce": "of another sign-in"},
        {"exp": int(time.time()) - 600},
        {"exp": "soon"},
        {"iat": int(time.time()) + 6000},
        {"at_hash": "AAAA"},
        {"sub": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_an_id_token_must_be_for_us_of_this_sign_in_and_now(tmp_path: Path, changed: dict[str, Any]) -> None:
    async with desk(tmp_path, claims=AGENT, changed=changed) as (_, served, session):
        assert await sign_in(served, session) == "/desk#sign_in=refused"
        assert await me(served, session) is None


async def test_an_id_token_must_be_signed_by_the_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path, claims=AGENT) as (fake, served, session):
        one = fake.key
        assert isinstance(one, RSAKey)
        fake.key, fake.published = RSAKey.generate_key(2048, {"kid": "one"}), [one]
        assert await sign_in(served, session) == "/desk#sign_in=refused", "another key of the same name"
        fake.key, fake.algorithm = OctKey.import_key(SECRET, {"kid": "one"}), "HS256"
        assert await sign_in(served, session) == "/desk#sign_in=refused", (
            "the client's secret is not the provider's key"
        )
        fake.key, fake.algorithm = RSAKey.generate_key(2048, {"kid": "two"}), "RS256"
        fake.published = [one, fake.key]
        assert await sign_in(served, session) == "/desk#sign_in=refused", "keys were asked for just now"
        monkeypatch.setattr(openid_provider, "AGAIN", 0.0)
        assert await sign_in(served, session) == "/desk", "keys that were changed are found"


async def test_a_sign_in_belongs_to_the_browser_that_began_it(tmp_path: Path) -> None:
    async with desk(tmp_path, claims=AGENT) as (fake, served, session):
        async with session.get(f"{served.url}/desk/company", allow_redirects=False) as answer:
            page = answer.headers["Location"]
        async with session.get(page, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        async with ClientSession() as other, other.get(back) as answer:
            assert "sign_in=over" in await answer.text(), "a link that signs somebody else in as oneself"
        async with session.get(back) as answer:
            assert "sign_in=over" in await answer.text(), "each counts once"
        for odd in ("", "?state=x", "?state=x&code=y", "?code=" + "y" * 5000):
            async with session.get(f"{served.url}/desk/company/back{odd}") as answer:
                assert "sign_in=over" in await answer.text()
        fake.refuses = True
        assert await sign_in(served, session) == "/desk#sign_in=refused"


async def test_a_provider_that_is_away_is_told_and_comes_back(tmp_path: Path) -> None:
    async with FakeProvider(claims=AGENT).running() as fake:
        fake.file(tmp_path)
    client = load(tmp_path / "openid.toml")
    async with (
        hotel(tmp_path, company=(Provider(client), Accounts(client.config))) as served,
        ClientSession() as session,
    ):
        assert await sign_in(served, session) == "/desk#sign_in=away"
    async with desk(tmp_path, claims=AGENT) as (fake, served, session):
        fake.issuer += "/another"
        assert await sign_in(served, session) == "/desk#sign_in=away", "it names itself otherwise"


async def test_without_a_file_there_is_no_company_sign_in(tmp_path: Path) -> None:
    async with hotel(tmp_path) as served, ClientSession() as session:
        async with session.get(f"{served.url}/desk/company") as answer:
            assert answer.status == 404
        async with session.get(f"{served.url}/desk/data/sign-in") as answer:
            assert await answer.json() == {"company": False}


def test_who_signs_in_again_has_spent_what_was_spent() -> None:
    accounts = Accounts(openid.OpenId("https://x", "c", [openid.Grant("groups", "front-desk", "agent")]))
    claims = {"sub": "u", "groups": ["front-desk"]}
    assert accounts.bearer(claims) is accounts.bearer(claims)
    assert accounts.bearer(claims) is not accounts.bearer(claims | {"sub": "v"})
    with pytest.raises(Refused):
        accounts.bearer({"sub": "u"})


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("issuer = ", "no TOML"),
        (f'client_id = "c"\n{GRANTS}', "issuer"),
        (f'issuer = "http://login.example.com"\nclient_id = "c"\n{GRANTS}', "https"),
        ('issuer = "https://x"\nclient_id = "c"\ngrant = []', "nobody could sign in"),
        (f'issuer = "https://x"\nclient_id = "c"\nclient_secret_file = "none"\n{GRANTS}', "cannot be read"),
        (f'issuer = "https://x"\nclient_id = "c"\nscopes = ["profile"]\n{GRANTS}', "openid"),
        (f'issuer = "https://x"\nclient_id = "c"\nsecret = "s"\n{GRANTS}', "secret"),
        ('issuer = "https://x"\nclient_id = "c"\n[[grant]]\nclaim = "g"\nvalue = "v"\nrole = "king"', "one of agent"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, file: str, why: str) -> None:
    (tmp_path / "openid.toml").write_text(file)
    with pytest.raises(OpenIdError, match=why):
        load(tmp_path / "openid.toml")
