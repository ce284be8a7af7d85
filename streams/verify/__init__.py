"""Recomputes every table from the log in a plain way, and compares the result with what the workers stored.

No code is shared with the workers' folds, so that the same mistake is not made twice.
"""
