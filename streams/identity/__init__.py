"""Who is who: identifiers that are one customer."""
