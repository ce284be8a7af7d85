"""Customer 360 over HTTP: what is known of a customer who calls, from a view of the topics on this machine's disk.

Each process follows every partition of the topics and so answers for any customer; there is nothing to rebalance, and a
second process is a stand-by and a share of the load at once.
"""
