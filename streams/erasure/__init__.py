"""Erasing a person: from state, topics and tables, and refusing what still comes of them.

Nothing keeps the names of those who were erased. Topics and tables hold fingerprints, hashes under a secret key, by
which a worker recognises a name when it meets it again.
"""
