"""Weights of the trained models; `streams.text.train` says how they were made."""
