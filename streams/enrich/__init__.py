"""From channel events to interactions: validate, score, re-key."""
