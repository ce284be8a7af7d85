"""ClickHouse: migrations, named queries, tables, the writer."""
