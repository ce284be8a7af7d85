"""The named queries on much data: time, CPU, and rows read, of each.

The pipeline takes in simulated travellers (`rihla run`), and copies of all that it stored under other names make them
as many as were asked for (copies.py). Then a process of its own has the engine, as `rihla up` has it, and asks each
query three times, of which the cheapest counts; what a query by customer, journey or identifier asks for is the
customer with the median number of interactions. A folder that an older version made is migrated first.

Ten questions are then asked of PostHog's own schema, too, with the same interactions in it (posthog.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from sinks.clickhouse.migrate import BACKFILLED, migrations
from sinks.clickhouse.named import load
from sinks.clickhouse.resolved import Resolver
from streams.embedded.clickhouse.access import DATABASE
from streams.embedded.clickhouse.engine import Engine, EngineError
from streams.sources.simulate import Options
from tests.benchmarks import posthog
from tests.benchmarks.copies import multiply, set_aside, settle
from tests.benchmarks.processes import afresh
from tests.benchmarks.report import Outcome, say, tabulate

THROUGH_THE_PIPELINE = 100_000
"""Interactions that the pipeline takes in; the others are copies of these."""
EVENTS_OF_A_THOUSAND = 7_400
"""Events of a thousand simulated customers, about."""
ROUNDS = 3
LIMITS = {"max_memory_usage": str(2 << 30), "max_threads": "2"}
"""What each query may use: 2 GiB, two cores."""
WITHIN_SECONDS = 2.0
"""What every named query should take at most, warm."""
ONE_WITHIN_SECONDS = 0.05
"""What a query by customer, journey or identifier should take at most."""


@dataclass(frozen=True)
class Question:
    """What is asked: a title, SQL, its parameters, and whether it asks for one customer, journey or identifier."""

    title: str
    sql: str
    given: Mapping[str, str]
    about_one: bool = False


@dataclass(frozen=True)
class Answer:
    """What an answer took in its cheapest round, or why there is none.

    seconds: by the clock, which other processes lengthen. cpu: seconds of all threads of the engine.
    """

    seconds: float
    cpu: float
    read: int
    read_bytes: int
    refused: str = ""


def measure(interactions: int, folder: Path | None = None) -> Outcome:
    """Make so many interactions and ask every named query. folder: where they are made, and found again; else they are
    thrown away."""
    with tempfile.TemporaryDirectory() as thrown_away:
        place = folder or Path(thrown_away) / "data"
        if not (place / "made").exists():
            _make(interactions, place)
        return _outcome(*afresh(_ask, place))


def _make(interactions: int, place: Path) -> None:
    """Have a folder of `rihla run` with so many interactions in it."""
    first = min(interactions, THROUGH_THE_PIPELINE)
    place.mkdir(parents=True, exist_ok=True)
    events = place / "events.jsonl"
    command = (sys.executable, "-m", "streams.cli")
    # Until today, so that days of the clock (open alerts, arrivals, faded sentiment) are asked for as in life.
    start = (datetime.now(UTC) - timedelta(days=Options().days)).date().isoformat()
    customers = max(1, first * 1_000 // EVENTS_OF_A_THOUSAND)
    _run(*command, "simulate", "--customers", customers, "--start", start, "--unfinished", 0.02, "--out", events)
    say(f"queries: {first:,} interactions through the pipeline")
    _run(*command, "run", events, "--data", place)
    afresh(_multiply, place, max(1, round(interactions / first)))
    (place / "made").touch()


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _multiply(place: Path, times: int) -> None:
    """In a process of its own: there is one engine a process."""
    with Engine(place / "clickhouse") as engine:
        set_aside(engine, DATABASE)
        multiply(engine, DATABASE, times)
        _resolve(engine)
        settle(engine)
        engine.query("DROP DATABASE originals")


def questions(engine: Engine) -> list[Question]:
    """What is asked: every named query as it is, those about one, and what analysts ask of the views themselves."""
    # The customer with the median number of interactions, and one of their journeys, references and identifiers.
    one = _row(
        engine,
        "SELECT customer_id, identifiers[-1].2 AS identifier, concat(kind, ':', value) AS subject FROM customers "
        "ORDER BY abs(interactions - (SELECT median(interactions) FROM customers WHERE journeys > 0)), "
        "length(identifiers) DESC, customer_id LIMIT 1",
    )
    customer = {"customer": one["customer_id"]}
    subject = {"subject": one["subject"]}
    trip = _row(
        engine,
        "SELECT journey_id, booking_ref FROM journeys WHERE booking_ref IS NOT NULL ORDER BY "
        f"customer_id != '{one['customer_id']}', journey_id LIMIT 1",
    )
    journey = {"journey": trip["journey_id"]}
    week = {"since": (datetime.now(UTC) - timedelta(days=7)).strftime("%Y-%m-%d %H:%M:%S")}
    named = load()

    def of(name: str, **given: str) -> Question:
        title = " ".join([name, *(f"{key}=..." for key in given)])
        values = named[name].bind(given)
        return Question(title, named[name].text(values), values, bool(given))

    def about(title: str, what: str, given: Mapping[str, str]) -> Question:
        return Question(title, f"SELECT * FROM {what}", given, True)

    about_one = [
        of("customer", id=one["customer_id"]),
        of("customer", id=one["identifier"]),
        of("customer", id=trip["booking_ref"]),
        of("journeys", customer=one["customer_id"]),
        *(
            about(f"{view} of a customer", f"{view} WHERE customer_id = {{customer:String}}", customer)
            for view in ("interactions", "contacts", "journeys", "journeys_now", "customers", "cases", "identities")
        ),
        *(
            about(f"{view} of a subject", f"{view} WHERE subject = {{subject:String}}", subject)
            for view in ("interactions", "contacts")
        ),
        about("interactions of a journey", "interactions WHERE journey_id = {journey:String}", journey),
        about("a journey", "journeys WHERE journey_id = {journey:String}", journey),
        about("an identifier", "identities WHERE value = {value:String}", {"value": one["identifier"]}),
    ]
    counts = [
        Question(f"count() of {view}", f"SELECT count() FROM {view}", {})
        for view in ("interactions", "contacts", "journeys", "customers")
    ]
    seven_days = [
        Question(f"{name}, seven days", named[name].text(values), values)
        for name in ("nps", "journey_map", "csat", "pain_points")
        for values in [named[name].bind(week)]
    ]
    seven_days.append(
        Question(
            "interactions, seven days",
            "SELECT touchpoint, count(), avg(score) FROM interactions WHERE occurred_at >= {since:DateTime64(3,'UTC')} "
            "GROUP BY touchpoint",
            week,
        )
    )
    every = [of(name) for name in named if name != "customer"]  # which needs somebody to be about
    return [*about_one, *counts, *seven_days, *every]


def _row(engine: Engine, sql: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(engine.query(sql, "JSONEachRow", database=DATABASE).data.splitlines()[0])
    return found


def _migrate(engine: Engine) -> None:
    """Bring the tables up to date."""
    applied = engine.query(f"SELECT name FROM {DATABASE}.schema_migrations", "TSV").data.decode().split()
    for migration in migrations():
        if migration.name in applied:
            continue
        began = time.perf_counter()
        for statement in migration.statements(DATABASE):
            engine.query(statement)
        if migration.name == BACKFILLED:
            _resolve(engine)
            engine.query(f"OPTIMIZE TABLE {DATABASE}.interactions_resolved_store FINAL")
        said = f"INSERT INTO {DATABASE}.schema_migrations (name, checksum)"
        engine.query(f"{said} VALUES ('{migration.name}', '{migration.checksum}')")
        say(f"queries: {migration.name} took {time.perf_counter() - began:,.1f} s")
    settle(engine)


class _Inside:
    """What a Resolver asks of a client of clickhouse-connect, by calls in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def command(self, sql: str, use_database: bool = True) -> str:
        return self._engine.query(sql, "TSV", settings=LIMITS).data.decode().strip() or "0"

    def query(self, sql: str, parameters: Mapping[str, str]) -> SimpleNamespace:
        rows = self._engine.query(sql, "JSONCompactEachRow", params=parameters).data.splitlines()
        return SimpleNamespace(result_rows=[json.loads(row) for row in rows])


def _resolve(engine: Engine) -> None:
    """Have customers and journeys resolved, as the sink does."""
    resolver = Resolver(_Inside(engine), DATABASE)
    while marks := resolver.marks():
        began, spent = time.perf_counter(), time.process_time()
        written = resolver.one_pass()
        seconds, cpu = time.perf_counter() - began, time.process_time() - spent
        say(f"queries: a pass, {marks:,} marks left: {written:,} rows, {seconds:,.1f} s, {cpu:,.1f} s CPU")


@dataclass(frozen=True)
class Beside:
    """A question asked of both schemas. alike: whether both answer the same."""

    title: str
    ours: Answer
    theirs: Answer
    alike: bool


def _beside(engine: Engine) -> tuple[list[Beside], dict[str, int]]:
    """What both schemas answer; and the bytes that each needs for it."""
    posthog.make(engine)
    settle(engine)
    found = []
    for pair in posthog.pairs(engine):
        ours = _answer(engine, Question(pair.title, pair.ours, {}))
        theirs = _answer(engine, Question(pair.title, pair.theirs, {}), posthog.THEIRS)
        alike = False
        if not ours.refused and not theirs.refused:
            asked = ((pair.ours, DATABASE), (pair.theirs, posthog.THEIRS))
            one, other = (engine.query(sql, "TSV", database=where, settings=LIMITS).data for sql, where in asked)
            alike = one == other
        say(f"queries: {pair.title}: {ours.seconds * 1000:,.0f} ms, PostHog's schema {theirs.seconds * 1000:,.0f} ms")
        found.append(Beside(pair.title, ours, theirs, alike))
    sizes = {}
    for name, tables in (
        ("interactions_store, by key", "database = 'cx' AND table = 'interactions_store'"),
        ("interactions_by_time_store", "database = 'cx' AND table = 'interactions_by_time_store'"),
        ("interaction_days_store", "database = 'cx' AND table = 'interaction_days_store'"),
        ("interactions_resolved_store", "database = 'cx' AND table = 'interactions_resolved_store'"),
        ("PostHog's sharded_events and overrides", f"database = '{posthog.THEIRS}'"),
    ):
        asked_for = f"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND {tables}"
        sizes[name] = int(engine.query(asked_for).data)
    return found, sizes


def _ask(place: Path) -> tuple[dict[str, int], list[tuple[Question, Answer]], list[Beside], dict[str, int]]:
    """In a process of its own: there is one engine a process."""
    with Engine(place / "clickhouse") as engine:
        _migrate(engine)
        stored = {
            table: int(engine.query(f"SELECT count() FROM {DATABASE}.{table}_store FINAL").data)
            for table in ("interactions", "journeys", "customers", "identities")
        }
        answers = []
        for question in questions(engine):
            answer = _answer(engine, question)
            say(
                f"queries: {question.title}: {answer.seconds * 1000:,.0f} ms, "
                f"{answer.cpu * 1000:,.0f} ms CPU, {answer.read:,} rows {answer.refused}"
            )
            answers.append((question, answer))
        return stored, answers, *_beside(engine)


def _answer(engine: Engine, question: Question, database: str = DATABASE) -> Answer:
    best = Answer(float("inf"), float("inf"), 0, 0)
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.process_time()
        try:
            result = engine.query(question.sql, "Null", database=database, params=question.given, settings=LIMITS)
        except EngineError as error:
            why = str(error).splitlines()[0][:100]
            return Answer(time.perf_counter() - began, time.process_time() - spent, 0, 0, why)
        seconds, cpu = time.perf_counter() - began, time.process_time() - spent
        if cpu < best.cpu:
            best = Answer(min(seconds, best.seconds), cpu, result.rows_read, result.bytes_read)
        if seconds > 5 * WITHIN_SECONDS:
            break
    return best


def _outcome(
    stored: Mapping[str, int],
    answers: list[tuple[Question, Answer]],
    beside: list[Beside],
    sizes: Mapping[str, int],
) -> Outcome:
    rows = []
    for question, answer in answers:
        limit = ONE_WITHIN_SECONDS if question.about_one else WITHIN_SECONDS
        late = "" if answer.seconds <= limit and not answer.refused else "*"
        ms = "refused" if answer.refused else f"{answer.seconds * 1000:,.0f}{late}"
        rows.append([question.title, ms, answer.read, answer.read_bytes / 1e6])
    head = [
        f"query; {stored['interactions']:,} interactions, {stored['journeys']:,} journeys",
        "ms",
        "rows read",
        "MB read",
    ]
    figures = {
        question.title: {
            "seconds": round(answer.seconds, 4),
            "cpu_seconds": round(answer.cpu, 4),
            "rows": answer.read,
        }
        for question, answer in answers
    }
    problems = [f"queries: {question.title}: {answer.refused}" for question, answer in answers if answer.refused]

    def took(answer: Answer) -> str:
        return answer.refused or f"{answer.seconds * 1000:,.0f}"

    compared = [
        [
            one.title,
            took(one.ours),
            took(one.theirs),
            one.ours.read,
            one.theirs.read,
            "the same" if one.alike else "differ",
        ]
        for one in beside
    ]
    theirs = tabulate(["beside PostHog's schema", "ms", "theirs", "rows read", "theirs", "answers"], compared)
    disk = tabulate(["on disk", "MB"], [[name, size / 1e6] for name, size in sizes.items()])
    named = {
        one.title: {
            **{name: round(answer.seconds, 4) for name, answer in (("ours", one.ours), ("theirs", one.theirs))},
            "rows": one.ours.read,
            "their_rows": one.theirs.read,
            "alike": one.alike,
        }
        for one in beside
    }
    return Outcome(
        "\n\n".join((tabulate(head, rows), theirs, disk)),
        {"stored": dict(stored), "queries": figures, "posthog": named, "bytes": dict(sizes)},
        problems,
    )
