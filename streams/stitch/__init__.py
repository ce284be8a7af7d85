"""Interactions folded into journeys, customers and cases.

The core is pure: `rolling`, `journey`, `case` and `summary` are commutative, mergeable summaries; `subject` is the
state kept for one subject; `placement` derives journeys from it, and `rows` the published records; `fold` runs a batch
through all of them. Only `agent`, `reading`, `outgoing` and `sweeper` know Kafka.
"""
