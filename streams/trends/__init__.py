"""Figures of units by day: what actions changed, what is out of the ordinary, and what is to be expected."""
