"""Servers that answer as told, and remember what they were asked: in place of services that are broken or not there."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Callable[[str, str], tuple[int, str]]
"""Given method and path: status and body."""


class Web:
    """An HTTP server: its URL, and the (method, path) of each request."""

    def __init__(self, answers: Answers, headers: dict[str, str] | None = None) -> None:
        asked: list[tuple[str, str]] = []
        self.asked = asked

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked.append((self.command, self.path))
                status, body = answers(self.command, self.path)
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *about: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def web(answers: Answers, headers: dict[str, str] | None = None) -> Iterator[Web]:
    """An HTTP server, while the block runs."""
    server = Web(answers, headers)
    try:
        yield server
    finally:
        server.close()


def registry(subjects: dict[str, Any]) -> Answers:
    """What a schema registry answers that has these schemas, by subject."""

    def answers(method: str, path: str) -> tuple[int, str]:
        if path == "/subjects":
            return 200, json.dumps([*subjects])
        for subject, schema in subjects.items():
            if path == f"/subjects/{subject}/versions/latest":
                said = {"subject": subject, "version": 1, "id": 7, "schema": json.dumps(schema)}
                return 200, json.dumps(said)
        return 404, json.dumps({"error_code": 40401, "message": "Subject not found."})

    return answers


@contextlib.contextmanager
def port(answer: bytes | None) -> Iterator[str]:
    """Where any connection gets these bytes, and is closed then; None: it gets nothing, and stays."""
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                kept.append(connection)
                if answer is not None:
                    connection.recv(1000)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        for connection in kept:
            connection.close()
