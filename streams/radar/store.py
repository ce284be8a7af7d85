"""Where the radar reads what members of groups said: the view group_cells."""

from __future__ import annotations

from typing import Any

from streams.radar.estimate import KINDS, Cell


def cells(client: Any) -> list[Cell]:
    """The cells of all groups. client: of clickhouse-connect, on the database of the tables."""
    rows = client.query(
        f"SELECT group_id, {', '.join(KINDS)}, customers, score_sum, score_squares FROM group_cells"
    ).result_rows
    return [Cell(group, tuple(places), *sums) for group, *places, sums in ((*row[:5], row[5:]) for row in rows)]
