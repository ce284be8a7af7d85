"""The harness of the benchmarks: its command line, its judgement, what it reads of /proc and of `rihla run`."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.fingerprint import crc64
from schemas.records import raw
from streams.stitch.events import Events
from streams.stitch.fold import fold_messages
from streams.stitch.messages import Messages
from tests.benchmarks import __main__ as harness
from tests.benchmarks import calibration, kafka_streams, latency, pipeline, places, processes, sample, stages, start
from tests.benchmarks.peers.records import PUBLISHED, Folder, Maker, Reader, Writer
from tests.benchmarks.report import Outcome, tabulate
from tests.benchmarks.stitch import COMPARED, difference, enriched, expected


def test_all_benchmarks_by_default_and_few_events_with_quick() -> None:
    options = harness.parse([])
    assert options.names == list(harness.BENCHMARKS)
    assert harness.events_of(options, "pipeline") == harness.EVENTS["pipeline"]
    quick = harness.parse(["pipeline", "--quick"])
    assert (quick.names, harness.events_of(quick, "pipeline")) == (["pipeline"], harness.QUICK["pipeline"])
    assert harness.events_of(harness.parse(["--quick", "--events", "7"]), "stages") == 7


def test_files_that_the_peer_in_java_names_are_there() -> None:
    """The peer is built and run only where there are Java and Maven; a file that moved would go unnoticed."""
    root = Path(__file__).parents[2]
    sources = "\n".join(path.read_text("utf-8") for path in kafka_streams.PROJECT.rglob("*.java"))
    named = {*re.findall(r"streams/[a-z_]+/[a-z_]+\.[a-z]+", sources)}
    assert len(named) > 5
    assert [name for name in sorted(named) if not (root / name).exists()] == []


def test_peers_of_stitch_are_named_one_by_one() -> None:
    assert harness.parse(["stitch", "--peer", "streams", "--peer", "streams-tuned"]).peer == [
        "streams",
        "streams-tuned",
    ]


@pytest.mark.parametrize(
    "wrong",
    [["--events", "0"], ["no-such-benchmark"], ["--events", "many"], ["--rate", "3"], ["stitch", "--peer", "rihla"]],
)
def test_wrong_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        harness.parse(wrong)
    assert ended.value.code == 2


def test_the_last_line_is_json_and_problems_end_in_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(events: int, options: argparse.Namespace) -> Outcome:
        raise RuntimeError("no broker")

    monkeypatch.setitem(harness.BENCHMARKS, "stages", lambda events, options: Outcome("a table", {"events": events}))
    monkeypatch.setitem(harness.BENCHMARKS, "pipeline", broken)
    assert harness.main(["stages", "--events", "5"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["events"], last["problems"]) == (5, [])
    assert harness.main(["pipeline", "stages", "--events", "5"]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["events"] == 5
    assert last["problems"] == ["pipeline could not be measured: RuntimeError: no broker"]


def test_a_stage_that_outgrows_twice_its_limit_is_named() -> None:
    limit = stages.LIMITS["enrich"]
    assert stages.outgrown({"enrich": 1.9 * limit}, 1.0) == []
    assert "enrich" in stages.outgrown({"enrich": 2.1 * limit}, 1.0)[0]
    assert stages.outgrown({"enrich": 5.9 * limit}, 3.0) == []  # on a machine that is three times slower
    assert "enrich" in stages.outgrown({"enrich": 1.1 * limit}, 0.5)[0]


def test_every_stage_is_measured_and_has_a_limit() -> None:
    assert stages.one_round(sample.batches(300)).keys() == stages.LIMITS.keys()


def test_cpu_of_a_process() -> None:
    line = "42 (a (strange) name) S 1 42 42 0 -1 4194560 100 0 0 0 250 150 9 9 20 0 4 0 100"
    assert processes.parse_stat(line) == 400 / processes.TICKS_A_SECOND
    assert processes.cpu_seconds(os.getpid()) > 0


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python -m streams.cli worker stitch", "stitch"),
        ("/bin/tansu broker --listener-url tcp://127.0.0.1:1", "broker"),
        ("python -c code run events.jsonl", "parent: engine, feeding"),
        ("python -c from multiprocessing.spawn import spawn_main; spawn_main()", "parent: engine, feeding"),
    ],
)
def test_roles_of_processes(command: str, role: str) -> None:
    assert processes.role(command) == role


def test_the_command_that_benchmarks_run_is_rihla() -> None:
    printed = subprocess.run([*pipeline.RIHLA, "run", "--help"], capture_output=True, check=True, timeout=600).stdout
    assert b"--data" in printed


def test_what_run_and_verify_print() -> None:
    summary = "events stored  1,200  new in the tables\nrate           1,234  events a second, from file to table\n"
    assert pipeline.figure(summary, "rate") == 1234
    with pytest.raises(ValueError, match="nothing of 'memory'"):
        pipeline.figure(summary, "memory")
    report = {"differences": 0, "moving": 0, "interactions": 7}
    assert pipeline.matches(report, 7)
    assert not pipeline.matches(report, 8)
    assert not pipeline.matches({**report, "differences": 1}, 7)


def test_tables_for_people() -> None:
    assert tabulate(["stage", "us"], [["decode", 12.34], ["all", 1000]]) == (
        "stage      us\ndecode   12.3\nall     1,000"
    )


def test_a_sample_is_as_large_as_asked_for_and_counts_what_comes_twice(tmp_path: Path) -> None:
    assert sum(batch.frame.height for batch in sample.batches(5_000)) == 5_000
    file = tmp_path / "events.jsonl"
    different = sample.write(5_000, file)
    events = [json.loads(line)["event_id"] for line in file.read_text().splitlines()]
    assert len(events) == 5_000
    assert different == len(set(events)) < 5_000


def test_the_rival_does_the_same_job_as_the_batches() -> None:
    """A record at a time: the same events for the fold, and the same bytes of what is published."""
    interactions = enriched(2_000)
    keys = [key.decode() for some, _ in interactions for key in some]
    values = [value for _, some in interactions for value in some]
    frame = BatchDecoder("interaction", sample.REGISTRY).decode(values).frame
    grouped = Events().by_subject(frame, keys, range(len(keys)))
    expected = {offset: event for records in grouped.values() for offset, _, event in records}
    read, make = Reader(), Maker()
    assert {offset: make(read(value)) for offset, value in enumerate(values)} == expected
    customers = fold_messages({}.get, Messages(grouped)).customers
    write = Writer("customer")
    written = [write(row) for row in customers]
    assert written == BatchEncoder("customer", sample.REGISTRY).encode(customers)


def test_a_record_at_a_time_ends_as_the_oracle_says() -> None:
    """What the peers publish last under each key, which the benchmark compares: the fold and the oracle agree."""
    interactions = enriched(1_000)
    job, states, offsets = Folder(), dict[bytes, bytes | None](), iter(range(10_000))
    last: dict[str, dict[bytes, bytes]] = {topic: {} for topic, *_ in PUBLISHED}
    for keys, values in interactions:
        for key, value in zip(keys, values, strict=True):
            states[key], changes = job.fold(key.decode(), next(offsets), job.event(value), states.get(key))
            for topic, to, payload in job.publications(changes):
                last[topic][to] = payload
    right = expected(interactions)
    for topic, record in COMPARED.items():
        found = BatchDecoder(record, sample.REGISTRY).decode(list(last[topic].values())).frame
        current = found.filter(~found["withdrawn"])
        assert difference(topic, right[topic], current) == ""
        assert difference(topic, right[topic].slice(1), current).startswith("1 values")


def test_the_calibration_is_a_multiple_of_the_reference() -> None:
    took = iter([0.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0, 7.0])  # seconds: the first round is a slow one
    second = calibration.TURNS * calibration.TURN_US / 1e6
    assert calibration.slower(lambda: next(took)) == pytest.approx(1.0 / second)
    assert len(calibration.turns(2000)) == 997


def test_joining_is_judged_by_the_speed_of_the_machine() -> None:
    assert start.joined("time  9.6 s  4.4 s until workers had joined, 11.0 s all in all\n") == (4.4, 11.0)
    with pytest.raises(ValueError, match="nothing of joining"):
        start.joined("time  9.6 s")
    assert start.outgrown("joining", 9.9, 5.0) == []
    assert "joining takes 10.1 s" in start.outgrown("joining", 10.1, 5.0)[0]


def test_latency_is_judged_by_the_speed_of_the_machine_and_never_harder() -> None:
    assert latency.slow(2.9, 0.5, "disk") == []
    assert "3.1 s (disk)" in latency.slow(3.1, 1.0, "disk")[0]
    assert latency.slow(8.9, 3.0, "memory") == []


def test_places_are_told_by_their_file_systems() -> None:
    mounts = places.mounted(["/dev/vda / ext4 rw 0 0", "tmpfs /dev/shm tmpfs rw 0 0", "x /a\\040b xfs rw 0 0"])
    assert places.file_system(Path("/dev/shm/deep/down"), mounts) == "tmpfs"
    assert places.file_system(Path("/a b/c"), mounts) == "xfs"
    assert places.file_system(Path("/home"), mounts) == "ext4"
    assert all(folder.is_dir() for folder in places.places().values())


@pytest.mark.parametrize("name", kafka_streams.RECORDS)
def test_the_schemas_that_java_gets_have_the_fingerprints_of_ours(name: str) -> None:
    plain = kafka_streams.without_logical_types(raw(name))
    assert "logicalType" not in json.dumps(plain)
    assert crc64(plain) == crc64(raw(name))


def test_all_that_benchmarks_import_is_in_their_environment() -> None:
    root = Path(__file__).parents[2]
    program = (
        "import sys, tests.benchmarks.__main__; from importlib.metadata import packages_distributions;"
        "found = packages_distributions();"
        "print(*{name for module in {one.split('.')[0] for one in sys.modules} for name in found.get(module, [])})"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, cwd=root, capture_output=True, text=True)
    locked = {
        line.split("==")[0] for line in (root / "requirements-bench.lock").read_text().splitlines() if "==" in line
    }
    imported = {re.sub("[-_.]+", "-", name).lower() for name in done.stdout.split()}
    assert imported - locked <= {"rihla", "setuptools", "pip", "pyyaml"}, "pyyaml: Faust does without it"
