"""The edges of deliver on loopback: HTTP, SMTP, and what may not be connected to."""

from __future__ import annotations

import asyncio
import base64
import socket
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller

from streams.deliver import routes, sign
from streams.deliver.apprise_url import notifier
from streams.deliver.egress import Resolver
from streams.deliver.lane import Failure
from streams.deliver.message import message
from streams.deliver.senders import Senders, attempt
from streams.errors import RihlaError
from tests.support.deliveries import ALERT
from tests.support.receiver import Receiver, receiving

KEY = base64.b64encode(b"k" * 32).decode()
MESSAGE = message("alert", "a1", 7, ALERT, False)


def book(folder: Path, targets: str, private: str = '"127.0.0.1"') -> routes.Book:
    (folder / "keys").write_text(KEY)
    (folder / "token").write_text("Bearer hush-hush-hush")
    text = f'[egress]\nprivate = [{private}]\n{targets}\n[[routes]]\nto = ["t"]\n'
    (folder / "routes.toml").write_text(text)
    return routes.load(str(folder / "routes.toml"))


def sent(book: routes.Book, app: Any = None) -> Failure | int | None:
    async def send() -> Failure | int | None:
        senders = Senders(book, app, "cx")
        await senders.start()
        try:
            return await attempt(senders.ways["t"], MESSAGE, 10)
        finally:
            await senders.stop()

    return asyncio.run(send())


def to(folder: Path, answer: tuple[int, dict[str, str]], further: str = "") -> tuple[Failure | int | None, Receiver]:
    """One attempt at a webhook that answers so."""

    async def send() -> tuple[Failure | int | None, Receiver]:
        async with receiving(lambda number: answer) as receiver:
            target = f'[targets.t]\ntype = "webhook"\nurl = "{receiver.url}"\ninsecure = true\nkeys_file = "keys"\n'
            senders = Senders(book(folder, target + further), None, "cx")
            await senders.start()
            try:
                return await attempt(senders.ways["t"], MESSAGE, 10), receiver
            finally:
                await senders.stop()

    return asyncio.run(send())


def test_a_webhook_is_signed_and_keyed(tmp_path: Path) -> None:
    outcome, receiver = to(tmp_path, (204, {}))
    assert outcome == 204
    (request,) = receiver.requests
    assert request.body == MESSAGE.body
    assert request.key == request.headers["webhook-id"] == "alert.a1.7"
    seconds = int(request.headers["webhook-timestamp"])
    assert abs(seconds * 1000 - request.at) < 60_000
    made = sign.headers([b"k" * 32], "alert.a1.7", seconds, request.raw)
    assert request.headers["webhook-signature"] == made["webhook-signature"]


def test_a_ticket_has_the_body_that_the_file_says(tmp_path: Path) -> None:
    further = 'method = "PUT"\nauthorization_file = "token"\n[targets.t.body]\nsubject = "{{ reason }}"\n'
    outcome, receiver = to(tmp_path, (200, {}), further)
    assert outcome == 200
    assert receiver.requests[0].body == {"subject": "stay.halal_breach at MAKKAH-01"}
    assert receiver.requests[0].headers["Authorization"] == "Bearer hush-hush-hush"


@pytest.mark.parametrize(
    ("answer", "final", "retry_after"),
    [
        ((500, {}), False, None),
        ((503, {"Retry-After": "7"}), False, 7_000),
        ((429, {"Retry-After": "120"}), False, 120_000),
        ((429, {}), False, 1_000),
        ((404, {}), False, None),
        ((422, {}), True, None),
        ((302, {"Location": "http://169.254.169.254/latest"}), False, None),
    ],
)
def test_answers(answer: tuple[int, dict[str, str]], final: bool, retry_after: int | None, tmp_path: Path) -> None:
    outcome, receiver = to(tmp_path, answer)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.final, outcome.retry_after) == (answer[0], final, retry_after)
    assert len(receiver.requests) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1.nip.invalid", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1."),
        *(
            "１２７.0.0.1",
            "127。0。0。1",
            "①②⑦.0.0.1",
            "ⓛocalhost",
        ),  # what a client writes otherwise before it connects
    ],
)
def test_names_that_mean_this_machine_are_not_connected_to(host: str, tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        port = listening.getsockname()[1]
        target = f'[targets.t]\ntype = "webhook"\nurl = "http://{host}:{port}/"\ninsecure = true\nkeys_file = "keys"'
        outcome = sent(book(tmp_path, target, private=""))
        assert isinstance(outcome, Failure)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert (host.isascii() and host != "localhost") or "this machine" in outcome.detail


def test_a_name_is_resolved_once_for_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is looked at and this machine a moment later: DNS rebinding."""
    asked: list[str] = []

    async def lookup(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
        asked.append(host)
        return [(socket.AF_INET, "127.0.0.1" if len(asked) > 1 else "192.0.2.1")]

    monkeypatch.setattr("streams.deliver.egress.addresses_of", lookup)
    with pytest.raises(OSError, match="reserved"):
        asyncio.run(Resolver([]).resolve("rebound.example", 443))
    assert asked == ["rebound.example"]


def test_the_address_of_a_chat_is_in_no_failure(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:9/services/T000/hush-hush")
    outcome = sent(book(tmp_path, '[targets.t]\ntype = "slack"\nurl_file = "url"\ninsecure = true'))
    assert isinstance(outcome, Failure)
    assert "hush" not in outcome.detail


def test_a_target_that_answers_with_the_request_has_nothing_of_it_shown(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        said = f"{request.path} {request.headers['Authorization']} of amina@example.com"
        return web.Response(status=401, text=said)

    async def send() -> Failure | int | None:
        app = web.Application()
        app.router.add_post("/services/{rest:.*}", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            port = runner.addresses[0][1]
            (tmp_path / "url").write_text(f"http://127.0.0.1:{port}/services/T000/hush-hush\n")
            target = '[targets.t]\ntype = "webhook"\nurl_file = "url"\ninsecure = true\nauthorization_file = "token"\n'
            senders = Senders(book(tmp_path, target + 'keys_file = "keys"'), None, "cx")
            await senders.start()
            try:
                return await attempt(senders.ways["t"], MESSAGE, 10)
            finally:
                await senders.stop()
        finally:
            await runner.cleanup()

    outcome = asyncio.run(send())
    assert isinstance(outcome, Failure)
    assert outcome.detail == "answered 401: /*** *** of [email]"


class Mailbox:
    """What an SMTP server took. refuse: its answer to a message, instead of taking it."""

    def __init__(self, refuse: str | None = None) -> None:
        self.mails: list[Any] = []
        self.refuse = refuse

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.mark.parametrize(
    ("refuse", "code", "final"), [(None, 250, False), ("451 later", 451, False), ("554 spam", 554, True)]
)
def test_mail(refuse: str | None, code: int, final: bool, tmp_path: Path) -> None:
    mailbox = Mailbox(refuse)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        target = (
            f'[targets.t]\ntype = "email"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
            'sender = "rihla@example.com"\nto = ["duty@example.com"]\n'
        )
        outcome = sent(book(tmp_path, target))
        if refuse is None:
            assert outcome == code
            assert mailbox.mails[0]["Message-ID"] == "<alert.a1.7@example.com>"
            assert "halal_breach" in mailbox.mails[0]["Subject"]
        else:
            assert isinstance(outcome, Failure)
            assert (outcome.code, outcome.final) == (code, final)
    finally:
        controller.stop()


def test_a_mail_server_on_this_machine_must_be_named(tmp_path: Path) -> None:
    target = (
        '[targets.t]\ntype = "email"\nhost = "localhost"\nsecurity = "none"\n'
        'sender = "rihla@example.com"\nto = ["duty@example.com"]\n'
    )
    outcome = sent(book(tmp_path, target, private=""))
    assert isinstance(outcome, Failure)
    assert "this machine" in outcome.detail


@pytest.mark.parametrize("url", ["json://127.0.0.1/x", "mailto://u:p@example.com", "syslog://", "pigeon://x"])
def test_apprise_is_for_services_with_an_address_of_their_own(url: str) -> None:
    with pytest.raises(RihlaError):
        notifier("t", url, 5.0)


def test_apprise_sends_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    send = notifier("t", "whatsapp://token@123456789012/14155550100", 5.0)
    told: list[dict[str, str]] = []
    plugin = send.__closure__[0].cell_contents.__closure__[0].cell_contents  # type: ignore[index]
    monkeypatch.setattr(type(plugin), "notify", lambda self, **said: not told.append(said) and len(told) > 1)
    first, second = asyncio.run(attempt(send, MESSAGE, 5)), asyncio.run(attempt(send, MESSAGE, 5))
    assert isinstance(first, Failure)
    assert second is None
    assert told[0]["title"] == MESSAGE.subject


def test_a_topic_of_rihlas_own_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(routes.RoutesError, match=r"cx\.alerts"):
        Senders(book(tmp_path, '[targets.t]\ntype = "kafka"\ntopic = "cx.alerts"'), None, "cx")


def test_what_raises_while_it_is_sent_is_dead_and_its_lane_goes_on() -> None:
    """Without an outcome the lane would count it as under way for ever; eight of them stopped a target."""

    async def send(_: object) -> int | None:
        raise ValueError("newline in a header")

    outcome = asyncio.run(attempt(send, MESSAGE, 10))
    assert outcome == Failure("it cannot be sent: ValueError", final=True)
