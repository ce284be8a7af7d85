"""Attacks on the embedded database's HTTP interface: each is refused, and nothing has happened.

What must not happen is looked at, not believed: no answer holds the canary file's text, no file appeared, nobody
knocked at the trap's port, and the table is as it was.
"""

from __future__ import annotations

import base64
import gzip
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streams.embedded.clickhouse.access import OWNER, READER
from streams.embedded.clickhouse.engine_error import EngineError
from tests.support.clickhouse import TOKENS, ClickHouse

CANARY = "canary-of-the-owners-files"
ROWS = [(1,), (2,), (3,)]


@dataclass
class Target:
    """What attacks aim at: the interface, a file not to be read, a folder and a port that must stay untouched."""

    clickhouse: ClickHouse
    folder: Path
    trap: socket.socket
    before: set[str] = field(default_factory=set)

    def filled(self, text: str) -> str:
        """An attack's text with {secret}, {new}, {folder}, {trap} and {database} filled in."""
        port = self.trap.getsockname()[1]
        values = {"secret": f"{self.folder}/secret.csv", "new": f"{self.folder}/new", "folder": str(self.folder)}
        values |= {"trap": f"127.0.0.1:{port}", "database": self.clickhouse.database}
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        return text

    def untouched(self, answer: bytes) -> None:
        """Raise AssertionError where an attack has had its way."""
        assert CANARY.encode() not in answer, answer
        assert {path.name for path in self.folder.iterdir()} == {"secret.csv"}
        assert (self.folder / "secret.csv").read_text() == CANARY + "\n"
        with pytest.raises(BlockingIOError):
            self.trap.accept()
        engine = self.clickhouse.engine
        rows = engine.query(f"SELECT n FROM {self.clickhouse.database}.t ORDER BY n").data
        assert rows == b"1\n2\n3\n"
        tables = engine.query(f"SELECT name FROM system.tables WHERE database = '{self.clickhouse.database}'").data
        assert tables == b"t\n"


@pytest.fixture
def target(clickhouse: ClickHouse, tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "secret.csv").write_text(CANARY + "\n")
    clickhouse.client.command("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
    clickhouse.client.insert("t", ROWS, ["n"])
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        yield Target(clickhouse, tmp_path, trap)


def ask(address: str, request: bytes) -> tuple[int, bytes]:
    """Status and all bytes of the answer to raw bytes; 0 where the connection ends without one."""
    parts = urllib.parse.urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(request)
        got = b""
        while piece := connection.recv(1 << 16):
            got += piece
    return (int(got.split(b" ", 2)[1]) if got else 0), got


def request(
    statement: str | bytes,
    *,
    method: str = "POST",
    user: str = "reader",
    token: str | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    host: str = "127.0.0.1",
) -> bytes:
    """A request: the statement in the body, or with GET in the URL."""
    body = statement.encode() if isinstance(statement, str) else statement
    parameters = dict(query or {})
    if method == "GET":
        parameters["query"], body = body.decode(), b""
    given = {"Host": host, "Connection": "close", "Content-Length": str(len(body))}
    if user:
        password = TOKENS.get(user, "") if token is None else token
        given["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    head = "".join(f"{name}: {value}\r\n" for name, value in (given | (headers or {})).items())
    return f"{method} /?{urllib.parse.urlencode(parameters)} HTTP/1.1\r\n{head}\r\n".encode() + body


READS = (
    "SELECT file('{secret}')",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT/**/file\n('{secret}')",
    "SELECT `file`('{secret}')",
    "SELECT \"file\"('{secret}')",
    "SELECT FILE('{secret}'), File('{secret}')",
    "WITH file('{secret}') AS x SELECT x",
    "SELECT arrayMap(x -> file(x), ['{secret}'])",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS a)",
    "SELECT * REPLACE (file('{secret}') AS n) FROM t",
    "SELECT 1 WHERE 'x' IN (SELECT line FROM file('{secret}', 'LineAsString', 'line String'))",
    "SELECT n FROM t WHERE n IN file('{secret}', 'LineAsString')",
    "SELECT * FROM view(SELECT * FROM file('{secret}', 'LineAsString'))",
    "SELECT * FROM fileCluster('default', '{secret}', 'LineAsString')",
    "SELECT * FROM filesystem('{folder}')",
    "SELECT * FROM default.`{secret}`",
    "SELECT n IN default.`{secret}` FROM t",
    "SELECT * FROM `{secret}`",
    "SELECT * FROM '{secret}'",
    "DESCRIBE TABLE file('{secret}', 'CSVWithNames')",
    "EXPLAIN SELECT * FROM file('{secret}', 'CSVWithNames')",
    "SELECT 1 FORMAT Template SETTINGS format_template_resultset = '{secret}'",
    "SELECT 1 AS a FORMAT Protobuf SETTINGS format_schema = '{secret}:M'",
    "SELECT * FROM sqlite('{secret}', 't')",
    "SELECT * FROM icebergLocal('{folder}')",
    "SELECT * FROM executable('cat {secret}', 'TSV', 'a String')",
    "SELECT * FROM Python(CANARY)",
    "SELECT * FROM merge('default', '.*')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT ﬁle('{secret}')",
    "SELECT 1\u00a0, file('{secret}')",
)
WRITES = (
    "SELECT 1 INTO OUTFILE '{new}'",
    "SELECT 1 INTO OUTFILE '{new}' APPEND",
    "SELECT 1 INTO/**/OUTFILE '{new}' TRUNCATE FORMAT CSV",
    "(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE '{new}'",
    "SHOW TABLES INTO OUTFILE '{new}'",
    "EXISTS TABLE t INTO OUTFILE '{new}'",
    "DESCRIBE t INTO OUTFILE '{new}'",
    "SHOW CREATE TABLE t INTO OUTFILE '{new}'",
    "EXPLAIN SELECT 1 INTO OUTFILE '{new}'",
    "INSERT INTO FUNCTION file('{new}', 'CSV') SELECT 1",
    "INSERT INTO FUNCTION file('{new}', 'CSV', 'a UInt8') VALUES (1)",
    "INSERT INTO FUNCTION file('{new}', 'CSV', 'a UInt8') FORMAT CSV\n1\n",
    "INSERT INTO t FROM INFILE '{secret}' FORMAT LineAsString",
    "SELECT 1 AS a FORMAT CapnProto SETTINGS output_format_schema = '{new}'",
    "INSERT INTO default.`{secret}` SELECT 'x'",
    "TRUNCATE TABLE default.`{secret}`",
    "DROP TABLE default.`{secret}`",
    "BACKUP TABLE t TO File('{new}')",
    "ATTACH TABLE a FROM '{folder}' (n UInt8) ENGINE = MergeTree ORDER BY n",
    "CREATE TABLE a (s String) ENGINE = File(LineAsString, '{secret}')",
    "CREATE TABLE a ENGINE = MergeTree ORDER BY tuple() SETTINGS disk = disk(type = 'local', path = '{new}') "
    "AS SELECT 1",
    "CREATE TABLE a AS file('{secret}', 'LineAsString')",
    "CREATE TABLE a (s String DEFAULT file('{secret}')) ENGINE = Memory",
    "CREATE VIEW a AS SELECT * FROM file('{secret}', 'LineAsString')",
    "CREATE VIEW a SQL SECURITY NONE AS SELECT 1",
    "CREATE MATERIALIZED VIEW a ENGINE = File(CSV, '{new}') AS SELECT n FROM t",
    "CREATE DATABASE a ENGINE = Filesystem('{folder}')",
    "CREATE FUNCTION a AS x -> file(x)",
    "CREATE DICTIONARY a (n UInt64, s String) PRIMARY KEY n SOURCE(FILE(path '{secret}' format 'CSV')) "
    "LIFETIME(0) LAYOUT(FLAT())",
    "CREATE DICTIONARY a (n UInt64, s String) PRIMARY KEY n SOURCE(EXECUTABLE(command 'touch {new}' format 'CSV')) "
    "LIFETIME(0) LAYOUT(FLAT())",
    "ALTER TABLE t FREEZE",
    "ALTER TABLE t MODIFY SETTING disk = 'x'",
    "ALTER TABLE t DELETE WHERE n = length(file('{secret}'))",
)
NETWORK = (
    "SELECT * FROM url('http://{trap}/', 'CSV', 'a String')",
    "SELECT * FROM s3('http://{trap}/bucket/key', 'CSV', 'a String')",
    "SELECT * FROM remote('{trap}', system.one)",
    "SELECT * FROM remoteSecure('{trap}', system.one)",
    "SELECT * FROM mysql('{trap}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('{trap}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM redis('{trap}', 'k', 'k String')",
    "SELECT * FROM mongodb('{trap}', 'a', 'b', 'c', 'd', 'e String')",
    "SELECT hasColumnInTable('{trap}', 'u', 'p', 'd', 't', 'c')",
    "SELECT aiGenerate('c', 'x')",
    "INSERT INTO FUNCTION url('http://{trap}/', 'CSV', 'a UInt8') SELECT 1",
    "EXPLAIN TABLE OVERRIDE mysql('{trap}', 'a', 'b', 'c', 'd') PARTITION BY toYYYYMM(created)",
    "DESCRIBE url('http://{trap}/', 'CSV')",
    "CREATE TABLE a (s String) ENGINE = URL('http://{trap}/', CSV)",
    "CREATE TABLE a (s String) ENGINE = Kafka('{trap}', 't', 'g', 'CSV')",
)
COMMANDS = (
    "SYSTEM SHUTDOWN",
    "SYSTEM FLUSH LOGS",
    "SET ROLE everything",
    "SET ROLE DEFAULT",
    "SET readonly = 0",
    "SET profile = 'default'",
    "EXECUTE AS default SELECT 1",
    "GRANT ALL ON *.* TO default",
    "CREATE USER a",
    "CREATE NAMED COLLECTION a AS b = 1",
    "DETACH TABLE t",
    "SELECT 1; DROP TABLE t",
    "SELECT 1;\n-- \nDROP TABLE t",
    "SELECT 1 PARALLEL WITH DROP TABLE t",
    "exit",
)
OF_READERS = (
    "DROP TABLE t",
    "TRUNCATE TABLE t",
    "INSERT INTO t VALUES (4)",
    "INSERT INTO t FORMAT CSV\n4\n",
    "INSERT INTO t SELECT 4",
    "ALTER TABLE t DELETE WHERE 1",
    "DELETE FROM t WHERE 1",
    "RENAME TABLE t TO a",
    "CREATE TABLE a (n UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE a (n UInt8)",
    "OPTIMIZE TABLE t FINAL",
    "KILL QUERY WHERE 1",
    "USE system",
    "SELECT query FROM system.processes",
    "SELECT query FROM `system`.`processes`",
    "SELECT * FROM system.users",
    "SELECT * FROM system.server_settings",
    "SHOW PROCESSLIST",
    "SELECT sleep(3)",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_execution_time = DEFAULT",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_memory_usage = '100G'",
    "SELECT 1 SETTINGS dialect = 'kusto'",
    "SELECT 1 SETTINGS max_parser_depth = 1000000",
)


EVERYBODYS = {"reads": READS, "writes": WRITES, "network": NETWORK, "commands": COMMANDS}


def refused(target: Target, statements: tuple[str, ...], user: str, method: str, **query: str) -> None:
    """Each statement is refused, and has done nothing."""
    for statement in statements:
        more = {"database": target.clickhouse.database, **query}
        sent = request(target.filled(statement), method=method, user=user, query=more)
        status, answer = ask(target.clickhouse.address, sent)
        assert status in (400, 403, 404, 500, 501), f"{statement}: {answer!r}"
        target.untouched(answer)


@pytest.mark.parametrize("user", ["reader", "owner"])
@pytest.mark.parametrize("kind", EVERYBODYS)
def test_nobody_reaches_files_the_network_or_the_engine_itself(target: Target, kind: str, user: str) -> None:
    for method in ("POST", "GET"):
        refused(target, EVERYBODYS[kind], user, method)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_reader_changes_nothing_and_sees_nobody_else(target: Target, method: str) -> None:
    refused(target, OF_READERS, "reader", method)


def test_get_changes_nothing_for_the_owner_either(target: Target) -> None:
    refused(target, OF_READERS[:12], "owner", "GET")
    refused(target, OF_READERS[:12], "owner", "GET", readonly="0")


@pytest.mark.parametrize(
    "query",
    [
        {"readonly": "0"},
        {"readonly": "-1"},
        {"readonly": "0x0"},
        {"role": "owner"},
        {"session_id": "s", "session_timeout": "60"},
        {"profile": "default"},
        {"format_schema": "/etc/passwd:M"},
        {"dialect": "kusto"},
        {"max_execution_time": "0"},
        {"log_comment": "'; DROP TABLE t; --"},
        {"query_id": "a' OR 1 --\r\nX: y"},
        {"database": "x`; DROP TABLE t; --"},
        {"default_format": "CSV INTO OUTFILE '{new}'"},
        {"user": "owner"},
        {"quota_key": "x", "stacktrace": "1"},
    ],
)
def test_parameters_of_a_reader_do_not_widen_what_it_may(target: Target, query: dict[str, str]) -> None:
    filled = {name: target.filled(value) for name, value in query.items()}
    more = {"database": target.clickhouse.database, **filled}
    status, answer = ask(target.clickhouse.address, request("INSERT INTO t VALUES (4)", query=more))
    assert status >= 400, answer
    assert b"\r\nX: y" not in answer
    target.untouched(answer)
    _, answer = ask(target.clickhouse.address, request("SELECT 1", query=more))
    target.untouched(answer)


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        ("SELECT * FROM {x:Identifier}", {"x": "system.processes"}),
        ("SELECT * FROM {d:Identifier}.{x:Identifier}", {"d": "system", "x": "processes"}),
        ("SELECT * FROM {d:Identifier}.processes", {"d": "system"}),
        ("SELECT * FROM {x:Identifier}", {"x": "/etc/passwd"}),
        ("SELECT {x:Identifier}('/etc/passwd')", {"x": "file"}),
        ("SELECT * FROM {x:Identifier}('/etc/passwd')", {"x": "file"}),
        ("SELECT {x:UInt8}", {"x": "1; DROP TABLE t"}),
        ("SELECT * FROM processes", {"_database": "system"}),
    ],
)
def test_parameterised_statements_smuggle_nothing(target: Target, statement: str, params: dict[str, str]) -> None:
    query = {f"param_{name}": value for name, value in params.items()}
    query["database"] = params.get("_database", target.clickhouse.database)
    status, answer = ask(target.clickhouse.address, request(statement, query=query))
    assert status in (400, 403, 404, 500), answer
    assert b"root:" not in answer
    assert b"SELECT * FROM processes\t" not in answer
    target.untouched(answer)


def basic(user: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({}, {}),
        ({"user": "owner"}, {}),
        ({"user": "owner", "password": "x"}, {}),
        ({"user": "owner", "password": TOKENS["reader"]}, {}),
        ({"user": "default", "password": ""}, {}),
        ({"user": "everything", "password": ""}, {}),
        ({"user": "owner", "password": TOKENS["owner"][:-1]}, {}),
        ({"user": "owner", "password": TOKENS["owner"] + "\0"}, {}),
        ({"user": "OWNER", "password": TOKENS["owner"]}, {}),
        ({}, {"X-ClickHouse-User": "owner"}),
        ({}, {"X-ClickHouse-Key": TOKENS["owner"]}),
        ({}, {"X-ClickHouse-User": "owner", "X-ClickHouse-Key": ""}),
        ({}, {"Authorization": "Basic"}),
        ({}, {"Authorization": "Basic !!!"}),
        ({}, {"Authorization": "Bearer " + TOKENS["owner"]}),
        ({}, {"Authorization": basic("owner", "wrong")}),
        ({}, {"X-ClickHouse-SSL-Certificate-Auth": "on", "X-ClickHouse-User": "owner"}),
        # More than one way, of which one is right:
        ({"user": "owner", "password": TOKENS["owner"]}, {"Authorization": basic("owner", TOKENS["owner"])}),
        ({"user": "owner", "password": TOKENS["owner"]}, {"X-ClickHouse-User": "reader"}),
        ({}, {"X-ClickHouse-User": "owner\r\nX-ClickHouse-User: owner", "X-ClickHouse-Key": TOKENS["owner"]}),
        ({}, {"X-ClickHouse-User": "owner", "X-ClickHouse-Key": f"x\r\nX-ClickHouse-Key: {TOKENS['owner']}"}),
    ],
)
def test_without_the_right_token_nothing_is_done(
    target: Target, query: dict[str, str], headers: dict[str, str]
) -> None:
    more = {"database": target.clickhouse.database, **query}
    for statement in ("SELECT 1", "DROP TABLE t", "INSERT INTO t FORMAT CSV\n4\n"):
        status, answer = ask(target.clickhouse.address, request(statement, user="", query=more, headers=headers))
        assert status == 403, answer
        assert b"AUTHENTICATION_FAILED" in answer
        assert all(token.encode() not in answer for token in TOKENS.values())
        target.untouched(answer)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8123", "Origin": "http://evil.example:8123"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "localhost@evil.example"},
        {"Host": "127.0.0.1\r\nHost: evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "0x7f000001"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_get_nothing_even_with_a_token_that_a_browser_kept(
    target: Target, headers: dict[str, str], method: str
) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        status, answer = ask(target.clickhouse.address, request(
            "SELECT n FROM t", method=method, user="owner", headers={"Content-Type": kind, **headers},
            query={"database": target.clickhouse.database},
        ))  # fmt: skip
        assert status in (400, 403), answer
        assert b"Access-Control" not in answer
        target.untouched(answer)


def multipart(fields: dict[str, tuple[str, str]]) -> tuple[bytes, dict[str, str]]:
    """A form's body and header; fields: name: (file name or "", value)."""
    parts = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"{f"; filename={chr(34)}{file}{chr(34)}" if file else ""}'
        f"\r\n\r\n{value}\r\n"
        for name, (file, value) in fields.items()
    )
    return ("".join(parts) + "--b--\r\n").encode(), {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    "fields",
    [
        {"query": ("", "SELECT file('{secret}')")},
        {"query": ("", "DROP TABLE t")},
        {"query": ("", "SELECT 1; DROP TABLE t")},
        {"query": ("", "SELECT * FROM e"), "e": ("../../../{new}", "1"), "e_structure": ("", "n UInt8")},
        {"query": ("", "INSERT INTO t VALUES (4)"), "user": ("", "owner"), "password": ("", TOKENS["owner"])},
        {"query": ("", "SELECT 1"), "readonly": ("", "0"), "format_schema": ("", "{secret}:M")},
        {"query": ("", "SELECT * FROM {x:Identifier}"), "param_x": ("", "system.processes")},
    ],
)
def test_forms_are_no_way_around(target: Target, fields: dict[str, tuple[str, str]]) -> None:
    body, headers = multipart({name: (target.filled(a), target.filled(b)) for name, (a, b) in fields.items()})
    query = {"database": target.clickhouse.database}
    status, answer = ask(target.clickhouse.address, request(body, headers=headers, query=query))
    assert status in (400, 403, 404, 500, 501), answer
    target.untouched(answer)


def test_statement_in_url_and_body_is_judged_as_a_whole(target: Target) -> None:
    for first, rest in (
        ("SELECT 1", "INTO OUTFILE '{new}'"),
        ("SELECT 1;", "DROP TABLE t"),
        ("SELECT '", "', file('{secret}')"),
        ("SELECT 1 -- ", "\n, file('{secret}')"),
        ("SELECT * FROM", " file('{secret}', 'LineAsString')"),
    ):
        query = {"query": target.filled(first), "database": target.clickhouse.database}
        for user in ("reader", "owner"):
            status, answer = ask(target.clickhouse.address, request(target.filled(rest), user=user, query=query))
            assert status in (400, 403), answer
            target.untouched(answer)


PATHS = ("/../../etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/play", "/dashboard", "/metrics")


@pytest.mark.parametrize("path", PATHS)
def test_there_are_no_other_paths(target: Target, path: str) -> None:
    raw = request("SELECT 1", method="GET", user="owner").replace(b"GET /?query=SELECT+1", f"GET {path}".encode())
    status, answer = ask(target.clickhouse.address, raw)
    assert status == 404
    target.untouched(answer)


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND"])
def test_there_are_no_other_methods(target: Target, method: str) -> None:
    status, answer = ask(target.clickhouse.address, request("DROP TABLE t", method=method, user="owner"))
    assert status in (400, 403, 405, 501)
    assert b"Access-Control" not in answer
    target.untouched(answer)


def test_bodies_that_grow_are_cut_off(target: Target) -> None:
    """A reader's body, or what a small one unpacks to, has a bound."""
    assert READER.body_limit < 64 << 20 < OWNER.body_limit
    bomb = gzip.compress(b" " * (READER.body_limit + 2))
    assert len(bomb) < 100_000
    for encoding, body in (("gzip", bomb), ("gzip", gzip.compress(bomb))):
        headers = {"Content-Encoding": encoding}
        status, answer = ask(target.clickhouse.address, request(body, headers=headers))
        assert status in (400, 413, 500), answer
    status, answer = ask(target.clickhouse.address, request(b" " * (READER.body_limit + 2)))
    assert status == 413
    target.untouched(answer)


def test_urls_and_headers_have_a_bound(target: Target) -> None:
    for raw in (
        request("SELECT '" + "x" * 100_000 + "'", method="GET"),
        request("SELECT 1", headers={"X": "y" * 100_000}),
        request("SELECT 1", headers={f"X-{number}": "y" for number in range(200)}),
    ):
        status, answer = ask(target.clickhouse.address, raw)
        assert status in (400, 414, 431), answer


def test_nesting_does_not_end_the_process(target: Target) -> None:
    for statement in (
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "-" * 30_001 + "1",
        "SELECT " + "[" * 3000,
    ):
        status, answer = ask(target.clickhouse.address, request(statement))
        assert status in (400, 500), answer
    assert ask(target.clickhouse.address, request("SELECT 1"))[0] == 200


def test_what_a_reader_is_there_for_works(target: Target) -> None:
    for statement in (
        "SELECT sum(n) FROM t",
        "SELECT 1 SETTINGS max_threads = 1",
        "SHOW TABLES",
        "DESCRIBE t",
        "EXISTS TABLE t",
        "SHOW CREATE TABLE t",
        "EXPLAIN SELECT n FROM t",
        "SELECT name, engine FROM system.tables LIMIT 1",
        "WITH (x -> x + 1) AS f SELECT f(n) FROM t",
        "SELECT quantileIf(0.5)(n, n > 1), row_number() OVER (ORDER BY n) FROM t GROUP BY n",
    ):
        for method in ("POST", "GET"):
            status, answer = ask(target.clickhouse.address, request(
                statement, method=method, query={"database": target.clickhouse.database}
            ))  # fmt: skip
            assert status == 200, answer


def test_the_engines_own_grants_hold_without_the_parser(target: Target) -> None:
    """The second lock by itself: what passes the statement's check for some reason still finds no right."""
    engine, database = target.clickhouse.engine, target.clickhouse.database
    sources = (
        READS[1],
        "SELECT * FROM default.`{secret}`",
        *NETWORK[:1],
        *NETWORK[2:6],
        "BACKUP TABLE t TO File('{new}')",
    )
    for role in (READER, OWNER):
        for statement in (*sources, *COMMANDS[:2]):
            with pytest.raises(EngineError) as refused:
                engine.query(target.filled(statement), database=database, role=role)
            assert refused.value.code == 497, statement
            target.untouched(b"")
    for statement in OF_READERS[:9]:
        with pytest.raises(EngineError) as refused:
            engine.query(statement, database=database, role=READER)
        assert refused.value.code == 497, statement
        target.untouched(b"")
