"""Recomputing everything plainly from the log, to compare with what the workers made of it.

Nothing here is shared with the workers' folds: two ways to the same answer are what makes the comparison a proof.
"""
