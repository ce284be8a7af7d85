"""Numbered migrations of ClickHouse, applied by sinks.clickhouse.migrate."""
