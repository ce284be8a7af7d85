"""Interactions folded into journeys, customers and cases."""
