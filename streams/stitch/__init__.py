"""Interactions folded into journeys, customers and cases.

The core is pure: `rolling`, `journey`, `case` and `summary` are commutative, mergeable summaries; `subject` is the
state that a worker keeps a subject; `assemble` derives journeys from it; `rows` the published records; `fold` runs a
batch through all of them. `agent` alone knows Kafka.
"""
