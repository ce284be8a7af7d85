"""Word lists, a file for each language; `streams.text.lexicon` says how they are written."""
