"""Replaying dead letters: which ones, their original records, and the record of what was replayed."""
