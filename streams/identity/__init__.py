"""Who is who: which identifiers are one customer, decided by the set of links between them."""
