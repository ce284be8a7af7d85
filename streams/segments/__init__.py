"""Segments: customers of whom something holds, by rules in the company's model."""
