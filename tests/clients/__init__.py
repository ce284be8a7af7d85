"""Clients that Rihla did not write, against the embedded engine's HTTP interface: `make clients`."""
