"""SQLAlchemy by clickhouse-connect's dialect: what notebooks and Superset do. Prints `ok` or `wrong` for each call.

Runs in an environment of its own (tests.clients makes it): python probe_sqlalchemy.py URL USER TOKEN DATABASE
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import sqlalchemy as sa


def main() -> None:
    """Try each call."""
    address, user, token, database = sys.argv[1:5]
    host = urlsplit(address)
    engine = sa.create_engine(f"clickhousedb://{user}:{token}@{host.hostname}:{host.port}/{database}")
    seen = sa.inspect(engine)

    def reflected() -> bool:
        journeys = sa.Table("journeys", sa.MetaData(schema=database), autoload_with=engine)
        asked = sa.select(journeys.c.status, sa.func.count()).group_by(journeys.c.status)
        with engine.connect() as connection:
            found = dict(connection.execute(asked).fetchall())
            whole = connection.execute(sa.text("SELECT count() FROM journeys")).scalar()
        return sum(found.values()) == whole > 0

    def parameter() -> bool:
        with engine.connect() as connection:
            asked = sa.text("SELECT count() FROM journeys WHERE status = :status")
            return connection.execute(asked, {"status": "completed"}).scalar() > 0

    def refused() -> bool:
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT nothing FROM journeys"))
        except sa.exc.DBAPIError as error:
            return "nothing" in str(error)
        return False

    calls: dict[str, Callable[[], bool]] = {
        "schemas": lambda: database in seen.get_schema_names(),
        "views": lambda: "journeys" in {*seen.get_table_names(database), *seen.get_view_names(database)},
        "columns": lambda: "journey_id" in {one["name"] for one in seen.get_columns("journeys", database)},
        "reflected table, grouped": reflected,
        "parameter": parameter,
        "error": refused,
    }
    for name, call in calls.items():
        try:
            print(f"ok {name}" if call() else f"wrong {name}: another answer")
        except Exception as error:
            print(f"wrong {name}: {error}")


if __name__ == "__main__":
    main()
