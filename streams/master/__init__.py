"""What the company says of itself, and no event tells: its units. By file here, by topic through the sink."""
