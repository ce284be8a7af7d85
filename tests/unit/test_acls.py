"""The rights in Kafka: as docs/security.md lists them, as commands, JSON and Strimzi's users."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from streams.cli.main import cli
from streams.kafka.acls import ACCESS, PIPELINE, Acl, acls, as_commands, as_json, as_strimzi
from streams.settings import Settings
from streams.topology import TOPICS, WORKERS_BY_NAME

PAGE = Path(__file__).parents[2] / "docs/security.md"


def table() -> str:
    """What docs/security.md must hold between its marks."""
    lines = ["| who | right | on |", "| --- | --- | --- |"]
    for who in (*ACCESS, PIPELINE):
        by_operations: dict[tuple[str, ...], list[str]] = {}
        names: dict[tuple[str, str, bool], list[str]] = {}
        for right in acls(Settings(), who):
            names.setdefault((right.resource, right.name, right.prefixed), []).append(right.operation)
        for (resource, name, prefixed), operations in names.items():
            by_operations.setdefault(tuple(operations), []).append(f"{resource} `{name}{'*' if prefixed else ''}`")
        for operations, some in by_operations.items():
            lines.append(f"| {who} | {', '.join(operations)} | {', '.join(some)} |")
    return "\n".join(lines)


def test_the_page_lists_every_right() -> None:
    found = re.search(r"<!-- rights -->\n(.*?)\n<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert found[1] == table()


def test_workers_read_what_their_groups_read() -> None:
    for worker in WORKERS_BY_NAME:
        assert set(ACCESS[worker].reads) == {*WORKERS_BY_NAME[worker].reads, "erasures", "schemas"}
    names = {topic.name for topic in TOPICS}
    for access in ACCESS.values():
        assert names.issuperset((*access.reads, *access.writes, *access.deletes))


@pytest.mark.parametrize("who", [*ACCESS, PIPELINE])
def test_the_formats_say_the_same(who: str) -> None:
    rights = acls(Settings(prefix="p"), who)
    told = set()
    for line in as_commands(rights, "User:me", "b:1"):
        words = shlex.split(line)
        assert words[:7] == ["kafka-acls.sh", "--bootstrap-server", "b:1", "--command-config", "admin.properties",
                             "--add", "--allow-principal"]  # fmt: skip
        pairs = list(itertools.pairwise(words))
        prefixed = ("--resource-pattern-type", "prefixed") in pairs
        for option, name in pairs:
            if option in ("--topic", "--group"):
                told |= {Acl(option[2:], name, value, prefixed) for key, value in pairs if key == "--operation"}
    assert told == set(rights)
    lines = [json.loads(line) for line in as_json(rights, "User:me").splitlines()]
    assert len(lines) == len(rights)
    assert {(line["resourceType"], line["name"], line["operation"]) for line in lines} == {
        (right.resource.upper(), right.name, right.operation.upper()) for right in rights
    }
    user = yaml.safe_load(as_strimzi(rights, "me"))
    assert user["kind"] == "KafkaUser"
    assert [
        Acl(each["resource"]["type"], each["resource"]["name"], each["operations"][0],
            each["resource"]["patternType"] == "prefix")
        for each in user["spec"]["authorization"]["acls"]
    ] == rights  # fmt: skip


def test_feed_needs_what_produce_needs_and_to_read_a_topic_in_a_group() -> None:
    mine, theirs = acls(Settings(prefix="p"), "produce"), acls(Settings(prefix="p"), "feed:pms.stays")
    assert {*theirs} - {*mine} == {Acl("topic", "pms.stays", "Read"), Acl("group", "p-feed-pms.stays", "Read")}
    assert {*mine} <= {*theirs}
    said = CliRunner().invoke(cli, ["acls", "feed:pms.stays"]).output
    assert "--allow-principal User:rihla-feed " in said
    assert "--topic pms.stays" in said
    assert CliRunner().invoke(cli, ["acls", "feed:"]).exit_code == 2


def test_the_command() -> None:
    done = CliRunner().invoke(cli, ["acls", "enrich", "--prefix", "x", "--brokers", "k:9093", "--no-create"])
    assert done.exit_code == 0
    assert "User:rihla-enrich" in done.output
    assert "--topic x.booking" in done.output
    assert "Create" not in done.output
    assert CliRunner().invoke(cli, ["acls"]).output.count("# ") == 6
    assert CliRunner().invoke(cli, ["acls", "nobody"]).exit_code == 2
