"""Numbered migrations of ClickHouse, applied by sinks.migrate."""
