"""Weights of the classifiers of sentences: apart from `weights`, whose fingerprint is the scorer's version."""
