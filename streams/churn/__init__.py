"""Churn risk: who will not come back, by a logistic regression with few named features, always beside its back-test."""
