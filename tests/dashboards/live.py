"""An embedded pipeline under load, with a Prometheus that scrapes it, and a target that gets its alerts."""

from __future__ import annotations

import base64
import contextlib
import http.server
import itertools
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.embedded.datadir import DataDirectory, Owner
from streams.embedded.ports import free_ports
from streams.embedded.tether import tethered

SCRAPE = 5
"""Seconds."""
EVENTS, PAUSE = 60, 2.0
"""Events of a request to the collector, and seconds between two."""
DAYS, RECENT = 330, 1_500
"""Days of history, and the number of its last events, which are posted first."""
RULES = Path(__file__).parents[2] / "deploy/prometheus/rules"


class _Target(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@contextlib.contextmanager
def started(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process; terminated at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(tethered(command), stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def scraping(folder: Path, workers: dict[str, str], port: int) -> list[str]:
    """The command of a Prometheus with the rules of deploy/prometheus."""
    targets = "".join(
        f"      - targets: ['{address.removeprefix('http://')}']\n        labels: {{service: {name.split('-')[0]}}}\n"
        for name, address in workers.items()
    )
    (folder / "prometheus.yml").write_text(
        f"global:\n  scrape_interval: {SCRAPE}s\n  evaluation_interval: {SCRAPE}s\n"
        "  external_labels: {docs: https://docs.example.com/rihla}\n"
        f"rule_files: ['{RULES}/*.yml']\nscrape_configs:\n  - job_name: rihla\n    static_configs:\n{targets}"
    )
    return [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def load(owner: Owner, data: Path, events: Path, ended: threading.Event) -> None:
    """Post events to the collector, and ask Customer 360, until it is said to end."""
    collect, serve = (f"http://127.0.0.1:{owner.settings[name]}" for name in ("RIHLA_COLLECT_PORT", "RIHLA_SERVE_PORT"))
    keys = {name: (data / "keys" / name).read_text().strip() for name in ("collect", "serve")}
    lines = events.read_bytes().splitlines(keepends=True)
    lines = [*lines[-RECENT:], *lines[:-RECENT]]  # alerts are raised of what is recent, so that comes first
    for begin in itertools.cycle(range(0, len(lines), EVENTS)):
        body = b"".join(lines[begin : begin + EVENTS])
        told = {"Authorization": f"Bearer {keys['collect']}", "Content-Type": "application/x-ndjson"}
        asked = {"Authorization": f"Bearer {keys['serve']}"}
        for request in (
            urllib.request.Request(f"{collect}/v1/events", body, told),
            urllib.request.Request(f"{serve}/v1/alerts", headers=asked),
        ):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(request, timeout=20).read()
        if ended.wait(PAUSE):
            return


@contextlib.contextmanager
def pipeline(folder: Path) -> Iterator[tuple[Path, str]]:
    """A pipeline under load: its data folder, and the address of Prometheus."""
    folder.mkdir(parents=True, exist_ok=True)
    data, events, port = folder / "data", folder / "events.jsonl", free_ports(1)[0]
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    (folder / "keys").write_text(base64.b64encode(b"k" * 32).decode())
    (folder / "routes.toml").write_text(
        f'[egress]\nprivate = ["127.0.0.1"]\n[targets.desk]\ntype = "webhook"\n'
        f'url = "http://127.0.0.1:{target.server_port}/"\ninsecure = true\nkeys_file = "keys"\n'
        '[[routes]]\nto = ["desk"]\n'
    )
    first = (datetime.now(UTC) - timedelta(days=DAYS + 1)).date().isoformat()
    rihla = [sys.executable, "-m", "streams.cli"]
    made = [
        "--customers",
        "3000",
        "--seed",
        "7",
        "--start",
        first,
        "--days",
        str(DAYS),
        "--bad",
        "0.003",
        "--caravans",
        "3",
    ]
    subprocess.run([*rihla, "simulate", *made, "--out", str(events)], check=True, capture_output=True)
    ports = [f"--{name}-port=0" for name in ("http", "broker", "collect", "serve")]
    ended = threading.Event()
    threading.Thread(target=target.serve_forever, daemon=True).start()
    routes = {"RIHLA_ROUTES": str(folder / "routes.toml")}
    with started([*rihla, "up", "--data", str(data), *ports], folder / "up.log", **routes):
        while not (owner := DataDirectory(data).owner()) or len(owner.workers) < 5:
            time.sleep(0.5)
        with started(scraping(folder, dict(owner.workers), port), folder / "prometheus.log"):
            loading = threading.Thread(target=load, args=(owner, data, events, ended))
            loading.start()
            try:
                yield data, f"http://127.0.0.1:{port}"
            finally:
                ended.set()
                loading.join()
                target.shutdown()
