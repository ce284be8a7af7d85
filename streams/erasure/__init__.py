"""Erasing a person from state, topics and tables, and refusing their records afterwards.

Nothing keeps the names of erased people. Topics and tables hold fingerprints, hashes under a secret key, by which a
worker recognises a name in a later record.
"""
