"""Customer 360 over HTTP: what is known about a customer, from a materialised view of the topics on local disk.

Each process follows every partition of the topics and so answers for any customer. There is nothing to rebalance, and a
second process is both a stand-by and a share of the capacity.
"""
