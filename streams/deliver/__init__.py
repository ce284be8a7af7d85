"""The deliver worker: alerts, cases and moves to people and systems, by routes."""
