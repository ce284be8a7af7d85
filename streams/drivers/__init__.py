"""What moves NPS and CSAT: aspects, waits and units, each with its share of what can be explained."""
