"""Tables as partitioned Parquet files for other tools: `rihla export`."""
