"""The version of the company's model that rows are made under; each sink records it in ClickHouse when it starts.

Views that ask the model (journeys_now) read it there; `verify` reads which version it was.
"""

from __future__ import annotations

from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from streams.model.actions import Actions
from streams.model.company import Model
from streams.model.forms import STAGES


def record_targets(client: Client, model: Model, now_ms: int) -> bool:
    """Record what the model wants, unless it is what is recorded. Returns whether it was recorded.

    client: on the database. No part of `record`: targets change no row, and are none of a model's hash.
    """
    wanted = [(one.metric, one.period, one.target, list(one.units), one.minimum) for one in model.targets]
    found = client.query("SELECT metric, period, target, units, minimum FROM targets ORDER BY rank").result_rows
    if [(*row[:3], list(row[3]), row[4]) for row in found] == wanted:
        return False
    rows = [[0, "", "", 0.0, [], 0, now_ms], *([rank, *one, now_ms] for rank, one in enumerate(wanted, 1))]
    columns = ["rank", "metric", "period", "target", "units", "minimum", "version"]
    client.insert("targets_store", rows, columns)
    return True


def record(client: Client, model: Model, now_ms: int, epoch: int) -> bool:
    """Record the model that applies from now on, unless it is the current one. Returns whether it was recorded.

    client: on the database. Several sinks may do so at once: they record the same.
    """
    if current(client) == (model.hash, epoch):
        return False
    said = [model.stages.get(stage) for stage in STAGES]
    rows = [
        [name, *((None, None, "none", 0) if one is None else (one.lasts, one.then, one.plan, one.grace)), now_ms]
        for name, one in zip(STAGES, said, strict=True)
    ]
    client.insert("stages_store", rows, ["stage", "lasts_ms", "becomes", "plan", "grace_ms", "version"])
    promised = [
        [rank, list(one.severities), list(one.brands), list(one.tiers), one.respond, one.resolve, now_ms]
        for rank, one in enumerate(model.sla)
    ]
    columns = ["rank", "severities", "brands", "tiers", "respond_ms", "resolve_ms", "version"]
    client.insert("sla_targets_store", promised, columns)
    record_actions(client, model.actions, now_ms)
    # In the body: what a model means is longer than an address may be.
    columns = ["hash", "name", "source", "recorded_at", "epoch", "meaning"]
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    client.insert("models_store", [[model.hash, model.name, model.source, at, epoch, model.meaning]], columns)
    return True


def record_actions(client: Client, actions: Actions, now_ms: int) -> None:
    """Record what the model says of actions for customers. client: on the database."""
    known = [[one.name, one.rank, one.propose, one.uplift, now_ms] for one in actions.by_name.values()]
    client.insert("actions_known_store", known, ["action", "rank", "propose", "uplift", "version"])


def current(client: Client) -> tuple[str, int] | None:
    """Hash and epoch of the current model; None while no sink has recorded one."""
    newest = "SELECT hash, epoch FROM models_store ORDER BY recorded_at DESC, hash DESC LIMIT 1"
    found = client.query(newest).result_rows
    return (str(found[0][0]), int(found[0][1])) if found else None


def meanings(client: Client) -> list[str]:
    """What each model says that has made rows here (Model.meaning)."""
    return [
        str(row[0]) for row in client.query("SELECT DISTINCT meaning FROM models_store WHERE meaning != ''").result_rows
    ]


def begin(client: Client, now_ms: int, epoch: int) -> None:
    """Note that rows are being made anew, so that no model holds until a sink records one.

    epoch: that of the rows which are written now.
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    columns = ["hash", "name", "source", "recorded_at", "epoch", "meaning"]
    client.insert("models_store", [["", "a rebuild, unfinished", "", at, epoch, ""]], columns)
