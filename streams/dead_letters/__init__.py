"""Dead letters sent again: which, from where, and the memory of what was sent."""
