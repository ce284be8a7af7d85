"""A canary in every secret setting, and a search of all that leaves: output, logs, pages, files, process list."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from streams.cli.main import COMMANDS, main
from tests.support.waiting import wait_until

CANARY = "cAnArY0s3cr3t"
CANARY_KEY = base64.b64encode(CANARY.encode() * 3).decode()
NOWHERE = "127.0.0.1:1"
CANARIES = {CANARY, CANARY_KEY}
SHAPES = (
    "http://u:{}@{}",
    "http://u:a/{}@{}",
    "http://u:{}#?@{}",
    "clickhouse://u:{}@{}",
    "u:{}@{}",
    "http://u:{}%zz@{}",
)


def environment(shape: str = SHAPES[0]) -> dict[str, str]:
    """A canary in every setting that may hold a secret."""
    url = shape.format(CANARY, NOWHERE)
    return {
        "RIHLA_BROKERS": NOWHERE,
        "RIHLA_CLICKHOUSE": url,
        "RIHLA_REGISTRY": url,
        "RIHLA_WIRE": "confluent",
        "RIHLA_ERASURE_KEY": CANARY * 2,
        "RIHLA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "RIHLA_SASL_USERNAME": "u",
        "RIHLA_SASL_PASSWORD": CANARY,
        "RIHLA_COLLECT_TOKEN": CANARY * 2,
        "RIHLA_LINK_KEYS": f"whsec_{CANARY_KEY}",
    }


class Rihla:
    """Commands run in this process, in a folder: what they print. They must fail without a traceback."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = patch, capture
        (folder / "events.jsonl").write_text('{"channel": "booking"}\n')
        (folder / "model").mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text)
        (folder / "units.csv").write_text("unit,name\nMAKKAH-01,Makkah Towers\n")
        (folder / "rates.csv").write_text("currency,base,valid_from,rate\nSAR,EUR,2025-01-01,0.24\n")
        patch.chdir(folder)
        patch.setattr(logging.getLogger(), "handlers", [])  # those of another test's worker write to what is closed
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "good"}\n')))

    def __call__(self, env: dict[str, str], *arguments: str) -> str:
        for name, text in env.items():
            self._patch.setenv(name, text)
        main(arguments)
        printed = "".join(self._capture.readouterr())
        assert "--debug" in arguments or "Traceback" not in printed, printed
        return printed


@pytest.fixture
def rihla(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Rihla:
    """The command line, in a folder with a file of events."""
    return Rihla(tmp_path, monkeypatch, capfd)


FILES = {
    "key": CANARY_KEY,
    "token": CANARY * 3,
    "authorization": f"Bearer {CANARY}",
    "url": f"http://127.0.0.1:1/services/{CANARY}\n",
    "hook.toml": """source = "s"
[[events]]
name = "e"
event_id = "id"
touchpoint = { value = "stay.arrived" }
medium = { value = "app" }
occurred_at = "at"
booking_ref = "number"
""",
    "collect.toml": """[tokens.site]
secret_file = "token"
[webhooks.pms]
mapping = "hook.toml"
scheme = "mews"
secret_file = "key"
""",
    "routes.toml": """[egress]
private = ["127.0.0.1"]
[targets.t]
type = "webhook"
url_file = "url"
insecure = true
keys_file = "key"
authorization_file = "authorization"
[[routes]]
to = ["t"]
""",
    "tokens.toml": f"""[[token]]
name = "desk"
role = "agent"
sha256 = "{sha256(CANARY.encode()).hexdigest()}"
""",
}
"""What the services read, with canaries in all that is secret."""
SERVICE = {
    "collect": {"RIHLA_COLLECT_CONFIG": "collect.toml"},
    "serve": {"RIHLA_SERVE_TOKENS": "tokens.toml", "RIHLA_PUBLIC_URL": "https://desk.example.com"},
    "deliver": {"RIHLA_ROUTES": "routes.toml", "RIHLA_PUBLIC_URL": "https://desk.example.com"},
}
"""Further settings of the services that have a door, or go out by one."""
MISTAKES = {
    "collect": ("collect.toml", 'secret_file = "key"', f'secret_file = "{CANARY}"\nscheme = "{CANARY}"'),
    "serve": ("tokens.toml", "sha256 = ", f'sha256 = "{CANARY}" # '),
    "deliver": ("url", "http", f"http//{CANARY}:x@"),
}
"""By service: a file, and what is written in the place of what, as somebody does who is in a hurry."""

SETTINGS = "settings"
"""Folder of these files where services run."""

CALLS = {
    "query": ("query", "SELECT 1"),
    "churn": ("churn",),
    "simulate": ("simulate", "--customers", "1", "--to-kafka"),
    "produce": ("produce", "events.jsonl"),
    "score": ("score",),
    "replay": ("replay", "--dry-run"),
    "verify": ("verify", "--source", "topics"),
    "forget": ("forget", "C1"),
    "doctor": ("doctor",),
    "migrate": ("migrate",),
    "worker": ("worker", "sink", "--metrics-port", "0"),
    "repartition": ("repartition", "--to", "3"),
    "restore": ("restore",),
    "units": ("units", "load", "units.csv"),
    "rates": ("rates", "load", "rates.csv"),
    "whatif": ("whatif", "--model", "model"),
    "feed": ("feed", "theirs", "--mapping", "mapping.toml"),
    "restate": ("restate", "old", "new"),
    "radar": ("radar",),
    "rebuild": ("rebuild",),
    "calls": ("calls",),
    "uplift": ("uplift",),
    "drift": ("drift", "--target", "crm"),
    "report": ("report", "--period", "2026-Q1", "--out", "report.html"),
    "export": ("export", "--out", "lake"),
    "drivers": ("drivers",),
    "targets": ("targets", "--new"),
    "anomalies": ("anomalies",),
    "actions": ("actions",),
    "themes": ("themes",),
    "guests": ("guests", "told", "staff", "--unit", "u", "--since", "2026-01-01", "--done", "more of them"),
}
IN_A_PIPELINE = {"run", "up"}
WITHOUT_SECRETS = {"acls", "map", "model", "token"}


def test_every_command_is_called_here() -> None:
    assert CALLS.keys() | IN_A_PIPELINE | WITHOUT_SECRETS >= COMMANDS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_no_command_prints_a_secret(rihla: Rihla, name: str) -> None:
    assert CANARY not in rihla(environment(), *CALLS[name])


@pytest.mark.parametrize("kind", SERVICE)
def test_no_service_prints_a_secret_when_it_cannot_start(rihla: Rihla, kind: str) -> None:
    printed = rihla({**environment(), **SERVICE[kind]}, "worker", kind, "--metrics-port", "0")
    assert NOWHERE in printed, "all settings and files were taken, and the broker is what is away"
    assert not any(one in printed for one in CANARIES)


@pytest.mark.parametrize("kind", SERVICE)
def test_no_service_prints_a_secret_that_stands_in_the_wrong_place(rihla: Rihla, kind: str) -> None:
    name, what, instead = MISTAKES[kind]
    file = Path(name)
    file.write_text(file.read_text().replace(what, instead))
    printed = rihla({**environment(), **SERVICE[kind]}, "worker", kind, "--metrics-port", "0")
    assert printed.strip()
    assert not any(one in printed for one in CANARIES), printed


def test_no_traceback_shows_a_secret(rihla: Rihla) -> None:
    printed = rihla(environment(), *CALLS["migrate"], "--debug")
    assert "Traceback" in printed
    assert CANARY not in printed


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("name", ["worker", "doctor", "query"])
def test_no_malformed_address_is_printed(rihla: Rihla, name: str, shape: str) -> None:
    assert CANARY not in rihla(environment(shape), *CALLS[name])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """`rihla up` with canaries, ready; stopped at the end."""
    folder = tmp_path
    (folder / SETTINGS).mkdir()
    for name, text in FILES.items():
        (folder / SETTINGS / name).write_text(text)
    env = {**os.environ, **environment(), "PYTHONPATH": os.getcwd()}
    for variables in SERVICE.values():
        env |= {name: f"{SETTINGS}/{said}" if said in FILES else said for name, said in variables.items()}
    command = [sys.executable, "-m", "streams.cli", "up", "--data", "data", "--http-port", "0", "--broker-port", "0"]
    with (folder / "printed").open("w") as printed:
        process = subprocess.Popen(command, cwd=folder, env=env | {"RIHLA_WIRE": "single-object"}, stdout=printed,
                                   stderr=printed, text=True)  # fmt: skip
    try:
        wait_until(
            lambda: process.poll() is not None or "stop          Ctrl-C" in (folder / "printed").read_text(),
            what="rihla up to answer",
        )
        assert process.poll() is None, (folder / "printed").read_text()
        yield folder, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


async def _ask_the_registry(address: str) -> None:
    """A record whose schema only the registry could know."""
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    try:
        await producer.send_and_wait("cx.booking", b"\0\0\0\0\7nothing")
    finally:
        await producer.stop()


def _said(url: str, request: bytes) -> str:
    """All that comes back to a request that is written by hand, and ends the connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.read().decode("latin-1")


def _fails(url: str) -> Iterator[str]:
    """Pages of errors: no such page, nobody, somebody else, a method, a body, and no HTTP at all."""
    host = url.removeprefix("http://")
    for line in ("GET /no/such/page", "GET /v1/customers/C1", "PUT /v1/events", "GET /?query=SELECT+x", "POST /w/pms"):
        for header in ("X: y", "Authorization: Bearer nobody", "Content-Length: 1", "Content-Encoding: zstd"):
            yield _said(url, f"{line} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nConnection: close\r\n\r\n{{".encode())
    yield _said(url, b"GET \xff HTTP/9.9\r\n\r\n")


def _tell_of_a_detractor(collector: str) -> None:
    """An event of which deliver tells: to nobody, since nothing listens at its target."""
    event = {"channel": "post_travel", "event_id": str(uuid4()), "occurred_at": int(time.time() * 1000)}
    event |= {"ids": [{"kind": "customer", "value": "C1"}], "touchpoint": "post_travel.survey_answered"}
    event |= {"medium": "app", "survey": {"instrument": "nps", "score": 0}}
    headers = {"Authorization": f"Bearer {CANARY * 2}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{collector}/v1/events", json.dumps(event).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        assert CANARY not in answer.read().decode()


def test_no_page_log_file_or_process_list_holds_a_secret(service: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, process = service
    printed = (folder / "printed").read_text()
    names = dict(re.findall(r"^(\S[\w ]*?)  +(http://[\d.:]+)", printed, re.MULTILINE))
    pages = dict(re.findall(r"(http://[\d.:]+)/metrics +\((\w+)\)", printed))
    assert set(pages.values()) == {"enrich", "identity", "stitch", "sink", "collect", "serve", "deliver"}
    for url in {names["ClickHouse"], names["collector"], names["customer 360"], *pages}:
        for answer in _fails(url):
            assert answer.startswith("HTTP/1."), (url, answer)
            assert not any(one in answer for one in CANARIES), (url, answer)
    _tell_of_a_detractor(names["collector"])
    broker = re.search(r"broker +(\S+)", printed)
    assert broker is not None
    for url in re.findall(r"http://[\d.:]+(?=/metrics)", printed):
        for page in ("metrics", "progress", "healthz", "readyz"):
            try:
                with urllib.request.urlopen(f"{url}/{page}") as answer:
                    told = answer.read().decode()
            except urllib.error.HTTPError as error:
                told = error.read().decode()
            assert not any(one in told for one in CANARIES), f"{url}/{page}"
    asyncio.run(_ask_the_registry(broker[1]))  # the worker may end for that, and be started again
    logs = folder / "data" / "logs"
    wait_until(
        lambda: any("egistry" in file.read_text() for file in logs.glob("enrich*")), what="enrich to miss the registry"
    )
    (deliver,) = (url for url, name in pages.items() if name == "deliver")

    def retrying() -> bool:
        with urllib.request.urlopen(f"{deliver}/metrics") as answer:
            told = answer.read().decode()
        assert not any(one in told for one in CANARIES)
        return re.search(r'rihla_deliveries_total\{outcome="retrying",target="t"\} [1-9]', told) is not None

    wait_until(retrying, what="deliver to fail")
    processes = subprocess.run(["ps", "-eo", "args", "ww"], capture_output=True, text=True, check=True).stdout
    assert "streams.cli worker" in processes
    assert "streams.cli worker deliver" in processes
    assert not any(one in processes for one in CANARIES)
    process.send_signal(signal.SIGTERM)
    process.wait()
    for file in folder.rglob("*"):
        if file.is_file() and SETTINGS not in file.parts:
            held = file.read_bytes()
            assert not any(one.encode() in held for one in CANARIES), file
