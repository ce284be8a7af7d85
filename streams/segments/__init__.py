"""Segments: groups of customers who meet the conditions of a rule in the company's model."""
