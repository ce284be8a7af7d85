"""The embedded engine behind ClickHouse's HTTP interface, as its clients see it."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from sinks.clickhouse.quoting import literal
from streams.embedded.clickhouse import engine as engines
from streams.embedded.clickhouse.access import OWNER, READER, Role, Tokens
from streams.embedded.clickhouse.compressed_blocks import compress, decompress
from streams.embedded.clickhouse.engine import (
    KEPT_CONNECTIONS,
    MERGE_TREE,
    Engine,
    EngineBusyError,
    EngineError,
    Stoppable,
)
from streams.embedded.clickhouse.http_interface import serve
from streams.embedded.clickhouse.spool import Spool
from tests.support.clickhouse import TOKENS, ClickHouse, LoopThread
from tests.support.waiting import HUNG

CREATE = """
CREATE TABLE t (a UInt64, s String, l LowCardinality(String), d DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a
"""
NASTY = 'it\'s \\ "double"; -- مرحبا\t\n\r\x00 ünï 🕌'


AS_OWNER = {"X-ClickHouse-User": OWNER.name, "X-ClickHouse-Key": TOKENS[OWNER.name]}


def http(
    url: str, data: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request; POST where there is data."""
    request = urllib.request.Request(url, data=data, headers=AS_OWNER | (headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=HUNG) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_ping_and_replicas_status(clickhouse: ClickHouse) -> None:
    assert http(clickhouse.address + "/ping")[::2] == (200, b"Ok.\n")
    assert http(clickhouse.address + "/replicas_status")[::2] == (200, b"Ok.\n")
    assert http(clickhouse.address + "/")[::2] == (200, b"Ok.\n")


def test_get_query_is_tab_separated_by_default(clickhouse: ClickHouse) -> None:
    status, headers, body = http(clickhouse.address + "/?query=SELECT%201,%27x%27")
    assert (status, body) == (200, b"1\tx\n")
    assert headers["Content-Type"] == "text/tab-separated-values; charset=UTF-8"
    assert headers["X-ClickHouse-Format"] == "TabSeparated"
    assert json.loads(headers["X-ClickHouse-Summary"])["result_rows"] == "1"


def test_post_body_default_format_and_format_clause(clickhouse: ClickHouse) -> None:
    _, headers, body = http(clickhouse.address + "/?default_format=JSONEachRow", b"SELECT 1 AS a")
    assert (body, headers["X-ClickHouse-Format"]) == (b'{"a":1}\n', "JSONEachRow")
    _, headers, body = http(clickhouse.address + "/", b"SELECT 1 AS a FORMAT CSVWithNames")
    assert (body, headers["Content-Type"]) == (b'"a"\n1\n', "text/csv; charset=UTF-8")


def test_query_parameter_and_body_are_joined(clickhouse: ClickHouse) -> None:
    query = urllib.parse.urlencode({"query": "SELECT sum(number)", "database": clickhouse.database})
    assert http(f"{clickhouse.address}/?{query}", b"FROM numbers(5)")[2] == b"10\n"


def test_get_must_not_write(clickhouse: ClickHouse) -> None:
    query = urllib.parse.urlencode({"query": CREATE, "database": clickhouse.database})
    status, headers, body = http(f"{clickhouse.address}/?{query}")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "497"), body
    assert http(f"{clickhouse.address}/?{query}", b" ")[0] == 200


def test_settings_and_server_side_parameters(clickhouse: ClickHouse) -> None:
    query = {"query": "SELECT getSetting('max_block_size'), {x:String}", "max_block_size": "123", "param_x": "a\\tb"}
    assert http(f"{clickhouse.address}/?{urllib.parse.urlencode(query)}")[2] == b"123\ta\\tb\n"
    unknown = http(f"{clickhouse.address}/?query=SELECT%201&no_such_setting=1")
    assert (unknown[0], unknown[1]["X-ClickHouse-Exception-Code"]) == (404, "115")


def test_settings_do_not_leak_into_the_next_request(clickhouse: ClickHouse) -> None:
    http(clickhouse.address + "/?max_block_size=77&max_threads=1", b"SELECT 1")
    answer = http(
        clickhouse.address
        + "/?query=SELECT%20getSetting('max_block_size')!=77,getSetting('max_threads')".replace("'", "%27")
    )
    assert answer[2] == b"true\t2\n" or answer[2] == b"1\t2\n"


@pytest.mark.parametrize(
    ("sql", "code", "status"),
    [
        ("selec 1", 62, 400),
        ("SELECT x", 47, 404),
        ("SELECT * FROM nope", 60, 404),
        ("SELECT throwIf(1)", 395, 500),
        (" ", 62, 400),
    ],
)
def test_errors_carry_code_status_and_text(clickhouse: ClickHouse, sql: str, code: int, status: int) -> None:
    got, headers, body = http(f"{clickhouse.address}/?database={clickhouse.database}", sql.encode())
    assert (got, headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())


def test_what_is_not_supported_says_so(clickhouse: ClickHouse) -> None:
    for sql in (b"SET max_threads = 1", b"USE system", b"CREATE TEMPORARY TABLE mine (a UInt8)"):
        for url in ("/", "/?session_id=mine"):
            status, _, body = http(clickhouse.address + url, sql)
            assert (status, b"would end with this request" in body) == (501, True), sql
    assert http(clickhouse.address + "/?compress=1&network_compression_method=no", b"SELECT 1")[0] == 501
    assert http(clickhouse.address + "/?decompress=1", b"SELECT 1")[1]["X-ClickHouse-Exception-Code"] == "271"
    assert http(clickhouse.address + "/", b"x", {"Content-Encoding": "snappy"})[0] == 501
    status, headers, _ = http(clickhouse.address + "/", b"not gzip", {"Content-Encoding": "gzip"})
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "271")


def test_numbers_between_quotes_are_settings_of_tables_and_names_are_not(clickhouse: ClickHouse) -> None:
    create = "CREATE TABLE {} (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS {}"
    where = f"{clickhouse.address}/?database={clickhouse.database}"
    assert (
        http(where, create.format("one", "replicated_deduplication_window = '0'").encode())[0] == 200
    )  # as dbt has it
    for setting in ("storage_policy = 'default'", "disk = '1x'", "storage_policy = ''", "storage_policy = '\u0661'"):
        assert http(where, create.format("two", setting).encode())[0] == 403, setting


def test_what_would_do_nothing_is_refused_with_a_sentence(clickhouse: ClickHouse) -> None:
    for parameters, code, sentence in (
        ("role=analyst", "512", b"owner has no role analyst"),
        ("role=owner&role=analyst", "512", b"owner has no role analyst"),
        ("session_id=mine&session_check=1", "372", b"every request stands alone"),
        ("http_response_headers=%7B'X-Mine':'1'%7D", "48", b"http_response_headers has no effect"),
        ("http_write_exception_in_output_format=1", "48", b"has no effect"),
    ):
        status, headers, body = http(f"{clickhouse.address}/?{parameters}", b"SELECT 1")
        assert (status >= 400, headers.get("X-ClickHouse-Exception-Code"), sentence in body) == (True, code, True), body
    for harmless in ("role=owner", "session_id=mine&session_check=0", "http_write_exception_in_output_format=0"):
        assert http(f"{clickhouse.address}/?{harmless}", b"SELECT 1")[::2] == (200, b"1\n")
    for condition in (b"user = 'reader'", b"query_id = 'x' TEST", b"query_id IN ('x')", b"1"):
        for comment in (b"", b"/* of a tool */ "):
            status, _, body = http(clickhouse.address + "/", comment + b"KILL QUERY WHERE " + condition)
            assert (status, b"WHERE query_id = 'ID'" in body) == (501, True), condition


def test_an_answer_that_is_waited_for_is_whole_or_an_error_and_says_what_was_read(clickhouse: ClickHouse) -> None:
    fails = b"SELECT number, throwIf(number = 3000000) FROM numbers(5000000) SETTINGS max_threads = 1"
    for waiting in ("wait_end_of_query=1", "http_wait_end_of_query=1"):
        status, headers, body = http(f"{clickhouse.address}/?{waiting}", fails)
        assert (status, headers["X-ClickHouse-Exception-Code"], body[:9]) == (500, "395", b"Code: 395")
    counts = b"SELECT sum(number) FROM numbers(3000000)"
    waited = http(f"{clickhouse.address}/?wait_end_of_query=1&send_progress_in_http_headers=1", counts)[1]
    assert json.loads(waited["X-ClickHouse-Summary"])["read_rows"] == "3000000"
    assert json.loads(waited["X-ClickHouse-Progress"])["read_rows"] == "3000000"
    told = json.loads(http(clickhouse.address + "/", counts)[1]["X-ClickHouse-Summary"])
    assert "read_rows" not in told  # nobody knows, which is not 0
    assert (told["result_rows"], int(told["elapsed_ns"]) > 0) == ("1", True)


def test_a_client_that_goes_away_stops_no_other_with_the_same_comment(clickhouse: ClickHouse) -> None:
    asks = b"SELECT count() FROM system.processes WHERE Settings['log_comment'] LIKE 'dashboard %'"
    assert http(clickhouse.address + "/?log_comment=dashboard", asks)[2] == b"1\n"
    marks = {http(clickhouse.address + "/?log_comment=x", b"SELECT getSetting('log_comment')")[2] for _ in range(3)}
    assert len(marks) == 3


ROWS = b"SELECT number, toString(number) FROM numbers(400000) FORMAT TSV"


@pytest.mark.parametrize("method", [None, "LZ4", "ZSTD", "NONE"])
def test_answers_in_blocks_and_bodies_in_blocks(clickhouse: ClickHouse, method: str | None) -> None:
    """A small answer, which is made at once, and one that comes in pieces; and a statement."""
    plain = http(clickhouse.address + "/", ROWS)[2]
    given = "compress=1&decompress=1" + (f"&network_compression_method={method}" if method else "")
    for sql, expected in (
        (b"SELECT 1", b"1\n"),
        (b"SELECT 0 WHERE 0", b""),
        (ROWS, plain),
        (b"EXISTS DATABASE nope", b"0\n"),
    ):
        status, _, body = http(f"{clickhouse.address}/?{given}", compress(sql, method or "LZ4"))
        assert (status, decompress(body, 1 << 30)) == (200, (expected, False))
    assert http(f"{clickhouse.address}/?{given}", compress(b"SELECT nope"))[2].startswith(b"Code: 47")


def test_rows_of_an_insert_in_blocks(clickhouse: ClickHouse) -> None:
    clickhouse.client.command(CREATE)
    query = urllib.parse.urlencode({"query": "INSERT INTO t (a) FORMAT TSV", "database": clickhouse.database})
    body = compress(b"".join(b"%d\n" % number for number in range(1000)))
    assert http(f"{clickhouse.address}/?decompress=1&{query}", body)[0] == 200
    assert clickhouse.rows("SELECT count(), sum(a) FROM t") == [(1000, 499500)]


@pytest.mark.parametrize("accepted", ["gzip", "deflate", "br", "zstd", "lz4", "snappy, gzip;q=0.5", "snappy"])
def test_answers_by_content_encoding(clickhouse: ClickHouse, accepted: str) -> None:
    plain = http(clickhouse.address + "/", ROWS)[2]
    for sql, expected in ((b"SELECT 1", b"1\n"), (b"SELECT 0 WHERE 0", b""), (ROWS, plain)):
        _, headers, body = http(clickhouse.address + "/?enable_http_compression=1", sql, {"Accept-Encoding": accepted})
        name = headers.get("Content-Encoding", "")
        assert name == ("" if accepted == "snappy" else "gzip" if "gzip" in accepted else accepted)
        if name == "deflate":
            body = zlib.decompress(body)
        elif name:
            body = pa.input_stream(pa.py_buffer(body), compression="brotli" if name == "br" else name).read()
        assert body == expected
    assert "Content-Encoding" not in http(clickhouse.address + "/", b"SELECT 1", {"Accept-Encoding": accepted})[1]


def test_native_with_a_version_has_a_header_and_a_word_more_in_each_block(clickhouse: ClickHouse) -> None:
    """Of every type, large enough for several blocks: nothing else but these is added, wherever a column ends."""
    sql = b"""SELECT toString(number), toNullable(number), [toString(number), ''], map('k', number), (number, 'x'),
        toLowCardinality(toString(number % 1000)), toLowCardinality(toNullable(if(number % 3 = 0, NULL, 'a'))),
        arrayMap(x -> toLowCardinality(toString(x)), range(number % 3)), toDecimal128(number, 4), now64(3, 'UTC'),
        toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'), toFixedString('abc', 3), number % 2 = 1, toIntervalDay(1),
        CAST('a', 'Enum8(\\'a\\' = 1, \\'(\\' = 2)'), CAST([(1, 'x')], 'Nested(a UInt8, b String)'), (1.0, 2.0)::Point,
        toDate32('2024-01-01')
        FROM numbers(200000) FORMAT Native"""
    plain, told = (http(f"{clickhouse.address}/?client_protocol_version={v}", sql) for v in (0, 54460))
    assert (plain[0], told[0]) == (200, 200)
    blocks, rest = divmod(len(told[2]) - len(plain[2]), 8 + 18)
    assert (blocks > 1, rest) == (True, 0)
    assert http(f"{clickhouse.address}/?client_protocol_version=54460", b"SELECT 1::Dynamic FORMAT Native")[0] == 501


def test_a_client_stops_its_query_by_the_id_that_it_gave(clickhouse: ClickHouse) -> None:
    """Its own, and that of a reader if it is the owner; a reader stops nobody else's."""
    endless = b"SELECT sum(cityHash64(number, rand())) FROM numbers(100000000000)"
    reader = {"X-ClickHouse-User": READER.name, "X-ClickHouse-Key": TOKENS[READER.name]}
    kill = b"KILL QUERY WHERE query_id = 'mine' SYNC"
    answers: list[tuple[int, dict[str, str], bytes]] = []

    def ask(user: dict[str, str]) -> None:
        answers.append(http(clickhouse.address + "/?query_id=mine", endless, user))

    for user, others in ((AS_OWNER, reader), (reader, {})):
        runs = threading.Thread(target=ask, args=(user,))
        runs.start()
        stopped = b""
        deadline = time.monotonic() + HUNG
        while not stopped and time.monotonic() < deadline:
            if others:
                assert http(clickhouse.address + "/", kill, others)[2] == b""
            stopped = http(clickhouse.address + "/", kill, user)[2]
        runs.join(HUNG)
        assert stopped == b"waiting\tmine\t" + user["X-ClickHouse-User"].encode() + b"\n"
        assert answers.pop()[1]["X-ClickHouse-Exception-Code"] == "394"
    assert http(clickhouse.address + "/", kill)[2] == b""


def test_a_query_stopped_before_the_engine_has_begun_it_ends_at_once(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would run for hours: what stops it finds nothing in the engine yet."""
    endless = b"SELECT sum(cityHash64(number, rand())) FROM numbers(100000000000)"
    let_in, stopped = threading.Event(), threading.Event()
    prepare, kill = engines._prepare, Engine.kill

    def late(*args: Any) -> None:
        prepare(*args)
        if "log_comment" in (args[2] or {}) and threading.current_thread().name.startswith("engine-query"):
            let_in.set()
            assert stopped.wait(HUNG)

    def once_asked(self: Engine, statement: Stoppable) -> bool:
        try:
            return kill(self, statement)
        finally:
            stopped.set()

    answers: list[tuple[int, dict[str, str], bytes]] = []
    ask = threading.Thread(target=lambda: answers.append(http(clickhouse.address + "/?query_id=mine", endless)))
    monkeypatch.setattr(Engine, "kill", once_asked)
    monkeypatch.setattr(engines, "_prepare", late)
    ask.start()
    assert let_in.wait(HUNG)
    assert http(clickhouse.address + "/", b"KILL QUERY WHERE query_id = 'mine' SYNC")[2]
    ask.join(HUNG)
    assert answers.pop()[1]["X-ClickHouse-Exception-Code"] == "394"


def test_what_is_stopped_before_its_turn_never_runs() -> None:
    statement = Stoppable("one")
    assert not statement.stop()
    with pytest.raises(EngineError, match="QUERY_WAS_CANCELLED"), statement.running():
        pass


def test_pages_of_other_sites_are_refused(clickhouse: ClickHouse) -> None:
    assert http(clickhouse.address + "/", b"SELECT 1", {"Origin": "https://evil.example"})[0] == 403
    assert http(clickhouse.address + "/", b"SELECT 1", {"Origin": clickhouse.address})[0] == 200


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd", "lz4", "br"])
def test_insert_bodies_in_every_content_encoding(clickhouse: ClickHouse, encoding: str) -> None:
    clickhouse.client.command(CREATE)
    rows = b"".join(
        json.dumps({"a": i, "s": NASTY, "l": "x", "d": "2024-02-29 10:00:00.123"}).encode() + b"\n" for i in range(50)
    )
    match encoding:
        case "gzip":
            body = gzip.compress(rows)
        case "deflate":
            body = zlib.compress(rows)
        case "":
            body = rows
        case _:
            sink = pa.BufferOutputStream()
            with pa.CompressedOutputStream(sink, "brotli" if encoding == "br" else encoding) as out:
                out.write(rows)
            body = sink.getvalue().to_pybytes()
    query = urllib.parse.urlencode({"query": "INSERT INTO t FORMAT JSONEachRow", "database": clickhouse.database})
    status, headers, answer = http(
        f"{clickhouse.address}/?{query}", body, {"Content-Encoding": encoding} if encoding else {}
    )
    assert (status, answer) == (200, b"")
    assert json.loads(headers["X-ClickHouse-Summary"])["written_rows"] == "50"
    assert clickhouse.rows("SELECT count(), any(s), any(d) FROM t") == [
        (50, NASTY, dt.datetime(2024, 2, 29, 10, 0, 0, 123000))
    ]


def test_insert_statement_with_its_data_in_one_body(clickhouse: ClickHouse) -> None:
    clickhouse.client.command(CREATE)
    url = f"{clickhouse.address}/?database={clickhouse.database}"
    for body in (
        b"INSERT INTO t (a, s) VALUES (1, 'a;b'), (2, 'VALUES (x) FORMAT y')",
        b'-- a comment\nINSERT INTO `t` (a, s) SETTINGS max_block_size = 10 FORMAT CSV\n3,"x;\n\ny"\n',
        b"INSERT INTO TABLE t (a, s) SELECT 4, ' FORMAT CSV'",
    ):
        assert http(url, body)[::2] == (200, b"")
    assert clickhouse.rows("SELECT a, s FROM t ORDER BY a") == [
        (1, "a;b"),
        (2, "VALUES (x) FORMAT y"),
        (3, "x;\n\ny"),
        (4, " FORMAT CSV"),
    ]


def in_two(connection: HTTPConnection, path: str, body: bytes, cut: int) -> tuple[int, bytes]:
    """Status and body of the answer to a POST whose body comes in two packets.

    The pause only keeps the system from making one packet of them: the answer does not depend on it.
    """
    connection.putrequest("POST", path)
    for name, value in AS_OWNER.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:cut])
    time.sleep(0.005)
    connection.send(body[cut:])
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_a_statement_in_the_body_may_come_in_any_pieces(clickhouse: ClickHouse) -> None:
    """Wherever a packet ends: in the statement, in the format's name, before or after the line end behind it."""
    clickhouse.client.command(CREATE)
    body = b"INSERT INTO t (a, s) FORMAT CSV\r\n1,x\n2,y\n"
    connection = HTTPConnection(urllib.parse.urlsplit(clickhouse.address).netloc)
    for cut in range(1, len(body)):
        assert in_two(connection, f"/?database={clickhouse.database}", body, cut) == (200, b""), cut
    connection.close()
    stored = clickhouse.rows("SELECT a, s, count() FROM t GROUP BY a, s ORDER BY a")
    assert stored == [(1, "x", len(body) - 1), (2, "y", len(body) - 1)]


def test_statements_of_any_kind_in_the_body_may_come_in_pieces(clickhouse: ClickHouse) -> None:
    url = urllib.parse.urlsplit(clickhouse.address).netloc
    clickhouse.client.command(CREATE)
    for body, expected in (
        (b"INSERT INTO t (a, s) SELECT 4, ' FORMAT CSV'", b""),
        (b" -- INSERT\nSELECT count(), max(length(s)) FROM t", b"1\t11\n"),
        (b"SELECT '" + b"x" * 300_000 + b"' = ''", b"0\n"),
    ):
        connection = HTTPConnection(url)
        path = f"/?database={clickhouse.database}&max_query_size=1000000"
        assert in_two(connection, path, body, 3) == (200, expected)
        connection.close()


def test_a_refused_insert_stores_nothing(clickhouse: ClickHouse) -> None:
    clickhouse.client.command(CREATE)
    query = urllib.parse.urlencode({"query": "INSERT INTO t (a) FORMAT CSV", "database": clickhouse.database})
    status, headers, _ = http(f"{clickhouse.address}/?{query}", b"1\n2\nthree\n")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (400, "117")
    assert clickhouse.rows("SELECT count() FROM t") == [(0,)]


def test_data_are_never_taken_for_statements(clickhouse: ClickHouse) -> None:
    """Texts full of SQL, in all formats that clients write: each arrives as it was, and nothing is executed."""
    clickhouse.client.command("CREATE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
    pieces = [";", "\n\n", "; DROP TABLE t;", "'", '"', "--", "/*", "\x00", "\\", "\r\n", "`", ";\n", "SELECT 1;", "é"]
    chance = random.Random(3)
    texts = ["".join(chance.choices(pieces, k=chance.randrange(12))) for _ in range(200)]
    table = pa.table({"n": pa.array(range(len(texts)), pa.uint32()), "s": texts})
    expected = list(enumerate(texts))
    client = clickhouse.client
    writes: list[Callable[[], object]] = [
        lambda: client.insert("t", [list(row) for row in expected], column_names=["n", "s"]),
        lambda: client.insert_arrow("t", table),
        lambda: client.raw_insert("t", ["n", "s"], json_lines(expected), fmt="JSONEachRow"),
        lambda: client.raw_insert(insert_block=b"INSERT INTO t (n, s) FORMAT JSONEachRow\n" + json_lines(expected)),
        lambda: client.raw_insert(
            "t", ["n", "s"], gzip.compress(json_lines(expected)), fmt="JSONEachRow", compression="gzip"
        ),
        lambda: client.command("INSERT INTO t VALUES " + ", ".join(f"({n}, {literal(text)})" for n, text in expected)),
    ]
    for write in writes:
        client.command("TRUNCATE TABLE t")
        write()
        assert clickhouse.rows("SELECT n, s FROM t ORDER BY n") == expected


def test_inserts_alike_share_a_connection_and_nothing_else(clickhouse: ClickHouse) -> None:
    """Neither a role, a database nor a setting of one insert reaches another, though connections are kept."""
    engine, database = clickhouse.engine, clickhouse.database
    clickhouse.client.command(
        "CREATE TABLE marks (n UInt64, mark String DEFAULT getSetting('log_comment'),"
        " roles String DEFAULT arrayStringConcat(currentRoles(), ' ')) ENGINE = MergeTree ORDER BY n"
    )

    def insert(number: int, role: Role | None, mark: str, clause: str = "") -> None:
        with Spool() as spool:
            spool.write(b'{"n": %d}' % number)
            settings = {"log_comment": mark} if mark else {}
            engine.insert_spool(
                "INSERT INTO marks (n)",
                "JSONEachRow",
                spool,
                clause=clause,
                database=database,
                settings=settings,
                role=role,
            )

    insert(1, OWNER, "a")
    insert(2, OWNER, "")
    insert(3, OWNER, "a", "SETTINGS log_comment = 'b'")
    insert(4, OWNER, "a")
    for _ in range(2):
        with pytest.raises(EngineError, match="privileges"):
            insert(5, READER, "a")
    for number in range(6, 6 + KEPT_CONNECTIONS + 2):
        insert(number, OWNER, f"mark {number}")
    insert(20, OWNER, "a")
    with pytest.raises(EngineError) as error:
        engine.insert("INSERT INTO marks (n)", "JSONEachRow", [b'{"n": 9}'], settings={"log_comment": "a"})
    assert error.value.code == 60  # without a database
    assert len(engine._kept) <= KEPT_CONNECTIONS
    rows = clickhouse.rows("SELECT n, mark, roles FROM marks ORDER BY n")
    marks = {1: "a", 2: "", 3: "b", 4: "a", **{n: f"mark {n}" for n in range(6, 6 + KEPT_CONNECTIONS + 2)}, 20: "a"}
    assert rows == [(n, mark, "owner") for n, mark in marks.items()]


def json_lines(rows: list[tuple[int, str]]) -> bytes:
    return "\n".join(json.dumps({"n": n, "s": text}) for n, text in rows).encode()


def test_what_the_table_refuses_is_an_error(clickhouse: ClickHouse) -> None:
    """Rows that parse but cannot be stored are never acknowledged."""
    client = clickhouse.client
    client.command("CREATE TABLE t (n UInt32, CONSTRAINT small CHECK n < 10) ENGINE = MergeTree ORDER BY n")
    client.command("CREATE TABLE u (n UInt32, m UInt32 DEFAULT intDiv(1, n)) ENGINE = MergeTree ORDER BY n")
    bad = pa.table({"n": pa.array([1, 11, 0], pa.uint32())})
    for table, code in (("t", 469), ("u", 153)):
        with pytest.raises(DatabaseError) as refused:
            client.insert_arrow(table, bad)
        assert refused.value.code == code
        with pytest.raises(DatabaseError) as refused:
            client.insert(table, [[1], [11], [0]], ["n"])
        assert refused.value.code == code
        assert clickhouse.rows(f"SELECT count() FROM {table}") == [(0,)]


def test_clickhouse_connect_reads_writes_and_reports(clickhouse: ClickHouse) -> None:
    client = clickhouse.client
    client.command(CREATE)
    when = dt.datetime(2024, 2, 29, 23, 59, 59, 999000)
    client.insert("t", [[1, NASTY, "x", when]], column_names=["a", "s", "l", "d"])
    arrow = pa.table(
        {
            "a": pa.array([2], pa.uint64()),
            "s": [NASTY],
            "l": ["y"],
            "d": pa.array([when], pa.timestamp("ms", "UTC")),
        }
    )
    assert client.insert_arrow("t", arrow).written_rows == 1
    assert clickhouse.rows("SELECT * FROM t ORDER BY a") == [(1, NASTY, "x", when), (2, NASTY, "y", when)]
    assert client.query_arrow("SELECT * FROM t WHERE a = 2").to_pylist()[0]["s"] == NASTY
    found = client.query(
        "SELECT a FROM t WHERE s = {s:String} AND d = {d:DateTime64(3)}", parameters={"s": NASTY, "d": when}
    )
    assert sorted(found.result_rows) == [(1,), (2,)]
    assert client.query("SELECT * FROM t LIMIT 0").column_names == ("a", "s", "l", "d")
    assert client.query("SELECT * FROM t WHERE 0").result_rows == []
    with pytest.raises(DatabaseError) as refused:
        client.command("SELECT * FROM nope")
    assert (refused.value.code, refused.value.name) == (60, "UNKNOWN_TABLE")


def test_large_insert_while_others_read(clickhouse: ClickHouse) -> None:
    """200,000 rows in one body; readers meanwhile see all of them or none (one insert block is one part)."""
    client = clickhouse.client
    client.command(CREATE)
    count = 200_000
    body = pa.table(
        {
            "a": pa.array(range(count), pa.uint64()),
            "s": [f"row {i} {NASTY}" for i in range(count)],
            "l": ["x"] * count,
            "d": pa.array([0] * count, pa.timestamp("ms", "UTC")),
        }
    )
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        reader = clickhouse.connect()
        while not done.is_set():
            seen.add(int(reader.query("SELECT count() FROM t").result_rows[0][0]))
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        assert client.insert_arrow("t", body).written_rows == count
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert seen <= {0, count}
    assert clickhouse.rows("SELECT count(), uniqExact(s) FROM t") == [(count, count)]


@pytest.mark.parametrize("fmt", ["Native", "Arrow", "ArrowStream", "CSV", "TabSeparated", "JSONEachRow", "RowBinary"])
@pytest.mark.parametrize("rows", [0, 3, 300_000])
def test_large_results_come_in_pieces_and_whole(clickhouse: ClickHouse, fmt: str, rows: int) -> None:
    sql = f"SELECT number AS n, concat('row ', toString(number)) AS s FROM numbers({rows})"
    status, _, body = http(f"{clickhouse.address}/?default_format={fmt}", sql.encode())
    whole = clickhouse.engine.query(sql, fmt).data
    assert status == 200
    if "Arrow" in fmt:
        opened = pa.ipc.open_file if fmt == "Arrow" else pa.ipc.open_stream
        if rows:
            assert opened(body).read_all().combine_chunks() == opened(whole).read_all().combine_chunks()
        assert opened(body).read_all().num_rows == rows
    else:
        assert body == whole


def test_clickhouse_connect_reads_a_large_result_in_every_way(clickhouse: ClickHouse) -> None:
    sql = "SELECT number AS n, toString(number) AS s FROM numbers(400000)"
    client = clickhouse.client
    assert sum(n for n, _ in client.query(sql).result_rows) == 79_999_800_000
    assert client.query_arrow(sql).num_rows == 400_000
    with client.query_arrow_stream(sql) as batches:
        assert sum(batch.num_rows for batch in batches) == 400_000
    with client.query_row_block_stream(sql) as blocks:
        assert sum(len(block) for block in blocks) == 400_000
    assert client.query_df(sql).shape == (400_000, 2)


def test_an_error_in_the_middle_of_a_result_is_noticed(clickhouse: ClickHouse) -> None:
    """Half a result must never look like a whole one."""
    sql = "SELECT throwIf(number = 3000000), repeat('x', 20) FROM numbers(4000000)"
    with pytest.raises((HTTPException, OSError)):
        http(clickhouse.address + "/", sql.encode())
    with pytest.raises(ClickHouseError, match="FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"):
        _ = clickhouse.client.query(sql).result_rows
    with pytest.raises(ClickHouseError):
        clickhouse.client.query_arrow(sql)


def test_a_reader_that_goes_away_in_the_middle_leaves_nothing_behind(clickhouse: ClickHouse) -> None:
    connection = HTTPConnection(urllib.parse.urlsplit(clickhouse.address).netloc)
    sql = b"SELECT repeat('x', 1000) FROM numbers(1000000000)"
    for _ in range(10):  # more than there are threads for queries
        connection.request("POST", "/?query_id=halfway", sql, AS_OWNER)
        assert len(connection.getresponse().read(5_000_000)) == 5_000_000
        connection.close()
    running = "SELECT count() FROM system.processes WHERE Settings['log_comment'] LIKE 'halfway %'"
    while clickhouse.rows(running) != [(0,)]:
        pass


def test_a_query_stops_when_its_client_goes_away(clickhouse: ClickHouse) -> None:
    """Otherwise an impatient analyst leaves the machine busy."""
    connection = HTTPConnection(urllib.parse.urlsplit(clickhouse.address).netloc)
    connection.request(
        "POST", "/?query_id=endless", b"SELECT sum(cityHash64(number)) FROM numbers(10000000000000)", AS_OWNER
    )
    running = "SELECT count() FROM system.processes WHERE Settings['log_comment'] LIKE 'endless %'"
    while clickhouse.rows(running) == [(0,)]:
        pass
    connection.close()
    while clickhouse.rows(running) != [(0,)]:
        pass


def test_closing_does_not_wait_for_slow_readers(clickhouse: ClickHouse, loop_thread: LoopThread) -> None:
    served = loop_thread.run(serve(clickhouse.engine, Tokens(TOKENS)))
    connection = HTTPConnection(urllib.parse.urlsplit(served.url).netloc)
    connection.request("POST", "/?query_id=slow", b"SELECT repeat('x', 1000) FROM numbers(1000000000)", AS_OWNER)
    answer = connection.getresponse()
    assert len(answer.read(1_000_000)) == 1_000_000
    loop_thread.run(served.close())
    with pytest.raises((HTTPException, OSError)):
        answer.read()
    running = "SELECT count() FROM system.processes WHERE Settings['log_comment'] LIKE 'slow %'"
    while clickhouse.rows(running) != [(0,)]:
        pass


def test_port_is_released_on_close(engine: Engine, loop_thread: LoopThread) -> None:
    first = loop_thread.run(serve(engine, Tokens(TOKENS)))
    with pytest.raises(OSError, match="address already in use"):
        loop_thread.run(serve(engine, Tokens(TOKENS), port=first.port))
    loop_thread.run(first.close())
    second = loop_thread.run(serve(engine, Tokens(TOKENS), port=first.port))
    assert http(second.url + "/ping")[0] == 200
    loop_thread.run(second.close())


def test_one_process_a_folder_and_one_folder_a_process(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineBusyError, match="already has an engine on another folder"):
        Engine(f"{tmp_path}/other")
    code = f"""
from streams.embedded.clickhouse.engine import Engine, EngineBusyError
try: Engine({str(engine.path)!r})
except EngineBusyError as error: print(error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HUNG)
    assert "is in use by process" in answer.stdout


def test_engine_survives_restart_and_kill(tmp_path: Path) -> None:
    """What was stored is there after close and after SIGKILL; a closed engine says so."""
    script = f"""
import os, signal
from streams.embedded.clickhouse.engine import Engine, EngineError
with Engine({str(tmp_path)!r} + "/e é") as e:
    e.query("CREATE DATABASE cx")
    e.query("CREATE TABLE cx.t (a UInt8) ENGINE = MergeTree ORDER BY a")
    e.insert("INSERT INTO cx.t", "CSV", [b"1\\n", b"2\\n"])
try: e.query("SELECT 1")
except EngineError as error: print(error.code)
e = Engine({str(tmp_path)!r} + "/e é")
print(e.query("SELECT sum(a) FROM cx.t").data)
e.query("INSERT INTO cx.t VALUES (4)")
os.kill(os.getpid(), signal.SIGKILL)
"""
    first = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HUNG)
    assert first.stdout.split("\n")[:1] == ["236"], first.stderr
    again = f"""
from streams.embedded.clickhouse.engine import Engine
with Engine({str(tmp_path)!r} + "/e é") as e: print(e.query("SELECT sum(a) FROM cx.t").data)
"""
    second = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, timeout=HUNG, check=True)
    assert second.stdout == "b'7\\n'\n"


def test_tables_are_merged_as_configured(engine: Engine) -> None:
    told = engine.query("SELECT name, value FROM system.merge_tree_settings WHERE changed").data.decode()
    assert dict(row.split("\t") for row in told.splitlines()) == MERGE_TREE


def test_close_stops_running_statements(tmp_path: Path) -> None:
    script = f"""
import threading
from streams.embedded.clickhouse.engine import Engine, EngineError
e = Engine({str(tmp_path)!r})
def work():
    try: e.query("SELECT sum(cityHash64(number)) FROM numbers(10000000000000)")
    except EngineError as error: print(error.code)
thread = threading.Thread(target=work)
thread.start()
while e.query("SELECT count() FROM system.processes").data == b"1\\n": pass
e.close()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HUNG, check=True)
    assert done.stdout == "394\n"


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="question mark"):
        Engine(f"{tmp_path}/what?")
