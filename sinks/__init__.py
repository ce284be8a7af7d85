"""Where it ends: ClickHouse tables, writer, named queries."""
