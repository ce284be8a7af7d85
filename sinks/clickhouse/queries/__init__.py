"""Named queries, read by sinks.clickhouse.named."""
