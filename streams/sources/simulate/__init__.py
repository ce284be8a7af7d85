"""Synthetic travellers: seeded events, and beside them the truth that the tables must hold."""

from streams.sources.simulate.options import Options
from streams.sources.simulate.simulation import batches, simulate, write

__all__ = ["Options", "batches", "simulate", "write"]
