"""A management report: what changed in a period, why, whom to call, and what was done about it (docs/report.md)."""
