"""docs/data-model.md: what people ask, made from the catalogue of a migrated database.

Comments, columns and types are the catalogue's. Views have no keys there, so two things are said here: what makes a row
of a view one row (KEYS; of a view over a store of its own, the store's sorting key), and which column leads to which
view (HOMES). `tests/integration/test_data_model.py` holds the page to the catalogue, the keys to simulated travellers.

`python -m sinks.clickhouse.data_model > docs/data-model.md` makes the page anew. It needs the extra `embedded`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.personal import INNER, OWNERS

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "What happened": ("interactions", "contacts", "interactions_attributed", "interactions_local"),
    "Journeys": (
        *("journeys", "journeys_now", "journeys_attributed", "milestones", "stays", "journey_spend", "plans", "stages"),
    ),
    "Customers": (
        *("customers", "customers_now", "identities", "customer_spend", "moves", "moves_attributed", "profile_flow"),
        *("segments", "consents", "consent_history", "next_actions", "next_best_actions", "actions_known", "calls"),
        *("churn_risk", "churn_models"),
    ),
    "Cases, alerts and what was done": (
        *("cases", "cases_attributed", "case_response", "improvements_told", "alerts", "alerts_attributed"),
        *("alert_sla", "sla_targets", "answers", "incidents", "deliveries", "invitations", "messages"),
    ),
    "Why, and is it better": ("targets", "target_breaches", "drivers", "action_effects", "anomalies"),
    "Groups": ("groups", "memberships", "group_cells"),
    "Units, money and the calendar": (
        *("units", "unit_levels", "unit_places", "rates", "exchange", "currencies", "hijri", "weekends"),
        *("prayer_times", "prayer_windows"),
    ),
    "The machinery": ("dead_letters", "models", "erasures", "lookups"),
}
"""The views of the page by what they are about, in the order in which a reader meets them."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("contacts", "interactions_attributed", "interactions_local"), ("subject", "event_id")),
    **dict.fromkeys(("journeys_now", "journeys_attributed", "milestones", "stays"), ("journey_id",)),
    "journey_spend": ("journey_id", "currency"),
    "plans": ("booking_ref",),
    "customers_now": ("customer_id",),
    **dict.fromkeys(("next_actions", "next_best_actions"), ("customer_id", "action", "evidence")),
    "customer_spend": ("customer_id",),
    "identities": ("kind", "value"),
    "moves_attributed": ("move_id",),
    "consents": ("customer_id", "purpose", "channel"),
    **dict.fromkeys(("cases_attributed", "case_response", "improvements_told"), ("case_id", "customer_id")),
    **dict.fromkeys(("alerts_attributed", "alert_sla"), ("alert_id",)),
    "sla_targets": ("rank",),
    "targets": ("rank",),
    "incidents": ("rule", "unit", "began_at"),
    "groups": ("group_id",),
    "group_cells": ("group_id", "guide", "bus", "tent", "floor"),
    **dict.fromkeys(("unit_levels", "unit_places"), ("unit", "valid_from")),
    "exchange": ("currency", "into", "valid_from"),
    "currencies": ("currency",),
    "hijri": ("date",),
    "weekends": ("country",),
    "prayer_windows": ("place", "date", "prayer_window"),
    "dead_letters": ("topic", "partition", "offset", "epoch", "payload"),
}
"""The key of each view that has no store of its own by whose key it goes; the others have none."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where columns lead. columns: those of the view that joins. view: the one joined. on: the condition, where its
    side has other names or a time counts; else the columns are equal."""

    columns: tuple[str, ...]
    view: str
    on: str = ""


HOMES: Final[tuple[Home, ...]] = (
    Home(("subject", "event_id"), "interactions"),
    Home(("journey_id",), "journeys"),
    Home(("customer_id",), "customers"),
    Home(("case_id", "customer_id"), "cases"),
    Home(("alert_id",), "alerts"),
    Home(("group_id",), "groups"),
    Home(("unit", "occurred_at"), "unit_levels", "`unit`, `valid_from <= occurred_at`, `occurred_at < valid_until`"),
    Home(
        *(("attributed_unit", "occurred_at"), "unit_levels"),
        "`attributed_unit = unit`, `valid_from <= occurred_at`, `occurred_at < valid_until`",
    ),
    Home(("action",), "actions_known"),
    Home(("model_id",), "churn_models"),
    Home(("booking_ref",), "plans"),
    Home(("country",), "weekends"),
    Home(("place", "date"), "prayer_times"),
    Home(("currency",), "currencies"),
)
"""The joins: a view with all of these columns leads there."""

_DRAWN = (
    *("customers", "identities", "journeys", "interactions", "cases", "alerts", "moves", "segments", "consents"),
    *("memberships", "groups", "unit_levels", "journey_spend", "churn_risk", "next_best_actions", "invitations"),
    "messages",
)
"""The views of the picture."""

_HEAD: Final = """\
# Data model

Made from the catalogue of ClickHouse by `python -m sinks.clickhouse.data_model`; a test holds it to the migrations.
The same comments are in the database, where every client shows them: `DESCRIBE TABLE journeys`, or the columns of
DBeaver.

Ask the views: they are exact (deduplicated, current). Which of them is fastest for a question: [clients](clients.md).
What a figure means: [metrics](metrics.md). Ready questions: `rihla query --list`. Times are UTC. What an analyst sees
of a column: [secured connections](security.md).
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the catalogue."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of the catalogue. sorting: the columns of its sorting key, empty for a view."""

    name: str
    comment: str
    sorting: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        return [column.name for column in self.columns]


Catalogue = Mapping[str, Relation]


def catalogue(client: Client, database: str) -> Catalogue:
    """Tables and views of a database by name. Raises clickhouse_connect's errors as they come."""
    asked = {"database": database}
    columns: dict[str, list[Column]] = {}
    for table, *column in client.query(
        "SELECT table, name, type, comment FROM system.columns WHERE database = {database:String} "
        "ORDER BY table, position",
        parameters=asked,
    ).result_rows:
        columns.setdefault(table, []).append(Column(*column))
    rows = client.query(
        "SELECT name, comment, sorting_key FROM system.tables WHERE database = {database:String} ORDER BY name",
        parameters=asked,
    ).result_rows
    return {
        name: Relation(
            *(name, comment),
            tuple(word for word in re.findall(r"\w+", sorting) if word in {column.name for column in columns[name]}),
            tuple(columns[name]),
        )
        for name, comment, sorting in rows
    }


def key_of(view: str, known: Catalogue) -> tuple[str, ...]:
    """The columns that no two rows of a view share; empty where it has none such."""
    if view in KEYS:
        return KEYS[view]
    store = known.get(f"{view}_store")
    return store.sorting if store and set(store.sorting) <= set(known[view].names) else ()


def joins_of(view: str, known: Catalogue) -> list[Home]:
    """Where the columns of a view lead, itself left out."""
    names = set(known[view].names)
    return [home for home in HOMES if home.view != view and set(home.columns) <= names]


def page(known: Catalogue) -> str:
    """The text of docs/data-model.md. known: the catalogue of a migrated database."""
    parts = [_HEAD, "## The picture\n", _picture(known)]
    for subject, views in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        parts += ["\n".join(_view(view, known)) for view in views]
    parts += ["## The tables underneath\n", "\n".join(_stores(known))]
    return "\n".join(parts)


def _picture(known: Catalogue) -> str:
    """The entities with their keys, and the lines between them, in Mermaid, which GitHub draws."""
    lines = ["```mermaid", "erDiagram"]
    for view in _DRAWN:
        for home in joins_of(view, known):
            if home.view in _DRAWN:
                many = "|o" if set(key_of(view, known)) == set(home.columns) else "}o"
                lines.append(f'    {view} {many}--o| {home.view} : "{", ".join(home.columns)}"')
    for view in _DRAWN:
        drawn = (home for home in joins_of(view, known) if home.view in _DRAWN)
        key, leads = key_of(view, known), {name for home in drawn for name in home.columns}
        lines.append(f"    {view} {{")
        for column in known[view].columns:
            roles = [role for role, has in (("PK", column.name in key), ("FK", column.name in leads)) if has]
            if roles and not (roles == ["FK"] and column.name == "occurred_at"):
                lines.append(f"        {_plain(column.type)} {column.name} {', '.join(roles)}")
        lines.append("    }")
    return "\n".join([*lines, "```\n"])


def _plain(kind: str) -> str:
    """A type as one word."""
    bare = re.sub(r"(?:LowCardinality|Nullable)\((.*)\)", r"\1", kind)
    return _plain(bare) if bare != kind else re.sub(r"\W.*", "", kind)


def _view(view: str, known: Catalogue) -> Iterator[str]:
    relation, key, joins = known[view], key_of(view, known), joins_of(view, known)
    yield f"### {view}\n"
    yield f"{relation.comment}.{' For the owner only.' if view in OWNERS else ''}\n"
    yield f"- Key: {_named(key) if key else 'none'}"
    for home in joins:
        yield f"- To [{home.view}](#{home.view}): {home.on or _named(home.columns)}"
    base = _base_of(relation, known)
    shown = relation.columns
    if base is not None:
        shown = tuple(column for column in shown if column not in base.columns)
        yield f"- Columns: those of [{base.name}](#{base.name})" + (", and" if shown else "")
    yield ""
    if shown:
        yield from ("| column | type | what it holds |", "| --- | --- | --- |")
        yield from (f"| `{one.name}` | {_cell(f'`{one.type}`')} | {_cell(one.comment)} |" for one in shown)
        yield ""


def _base_of(relation: Relation, known: Catalogue) -> Relation | None:
    """The view whose columns all stand in this one, as NAME in NAME_attributed or NAME_now."""
    base = known.get(relation.name.rpartition("_")[0])
    return base if base is not None and set(base.columns) <= set(relation.columns) else None


def _stores(known: Catalogue) -> Iterator[str]:
    yield "What workers write. Copies and old versions of a row are there until ClickHouse merges: ask with `FINAL`.\n"
    yield from ("| table | sorting key | what it holds |", "| --- | --- | --- |")
    for relation in known.values():
        if relation.sorting:
            yield f"| `{relation.name}` | {_named(relation.sorting)} | {_cell(relation.comment)} |"
    yield ""
    for view in INNER:
        yield f"The view `{view}` is read by other views alone. {known[view].comment}."


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Print the page, from an engine in this process that is migrated for it."""
    import clickhouse_connect

    from sinks.clickhouse.migrate import migrate

    client = clickhouse_connect.get_client(interface="chdb")
    migrate(client, "cx")
    print(page(catalogue(client, "cx")))


if __name__ == "__main__":
    main()
