"""State built anew from what ClickHouse holds."""
