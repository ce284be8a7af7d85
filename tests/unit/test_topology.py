"""The topology against everything that says the same in another form: agents, schemas, docs, deployment files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import records
from sinks.clickhouse.migrate import migrations
from streams import topology, topology_tables
from streams.kafka.app import build
from streams.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("worker", topology.WORKERS, ids=lambda worker: worker.name)
def test_a_worker_reads_what_the_topology_says_and_keeps_its_state_tables(worker: topology.Worker) -> None:
    settings = Settings(prefix="t")
    app = build(settings, worker.name)
    importlib.import_module(worker.module).create(app, settings)
    read = {name for agent in app.agents.values() for name in agent.channel.topics}
    assert read == {settings.topic(name) for name in worker.reads}
    assert {table.changelog_topic_name for table in app.tables.values()} == {
        f"{settings.group(worker.name)}-{name}-changelog" for name in worker.state
    }


def test_every_topic_has_a_schema_a_reader_and_a_writer() -> None:
    assert {topic.record for topic in topology.TOPICS if topic.record} == {*records.NAMES}
    written = {name for one in (*topology.WORKERS, *topology.SERVICES) for name in one.writes}
    for topic in topology.TOPICS:
        if topic.name not in (topology.ERASURES, topology.SCHEMAS):  # which every worker follows
            assert topology.readers(topic.name)
            given = {*topology.CHANNEL_TOPICS, *topology.MASTER_TOPICS, topology.DEAD_LETTERS, "redeliveries"}
            assert topic.name in written | given


def test_every_stored_topic_has_its_table_and_its_view() -> None:
    sql = "\n".join(migration.text for migration in migrations())
    for topic in topology.TOPICS:
        if topic.stored:
            assert f"{topic.stored.view}_store" in sql
            assert f"VIEW {{database}}.{topic.stored.view} " in sql


def test_records_pass_the_workers_in_the_order_of_the_topology() -> None:
    assert topology.flow() == ("enrich", "identity", "stitch", "stitch", "sink")


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("docs/deploying-a-worker.md", topology_tables.workers_table),
        ("docs/developing.md", topology_tables.workers_table),
        ("docs/developing.md", topology_tables.topics_table),
    ],
)
def test_docs_show_the_tables_of_the_topology(page: str, table: Any) -> None:
    assert "\n".join(table()) in (ROOT / page).read_text("utf-8"), (
        f"python -m streams.topology_tables prints what {page} shows"
    )


def test_prometheus_scrapes_every_worker() -> None:
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["scrape_configs"]
    (names,) = [found["names"] for job in jobs for found in job.get("dns_sd_configs", ())]
    assert names == list(topology.PROCESSES)


def test_the_topics_that_stitch_reads_are_partitioned_as_its_state_is() -> None:
    assert {*topology.WORKERS_BY_NAME["stitch"].reads} <= {*topology.WITH_STATE} <= {*topology.PLACED_BY_KEY}


def test_each_topic_that_a_worker_writes_is_placed_by_key_or_has_one_partition() -> None:
    for worker in topology.WORKERS:
        assert {*worker.writes} <= {*topology.PLACED_BY_KEY, *topology.ORDERED}
