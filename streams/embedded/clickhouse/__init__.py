"""ClickHouse's engine in this process, and its HTTP interface: who may ask, and what."""
