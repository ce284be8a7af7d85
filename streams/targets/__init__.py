"""Targets of the model: which were missed, and who is to know."""
