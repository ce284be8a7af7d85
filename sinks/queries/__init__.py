"""Named queries, read by sinks.named."""
