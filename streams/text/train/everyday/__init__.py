"""Opinions on anything, written to train the second reader of concerns: none raises one (LANGUAGE.txt)."""
