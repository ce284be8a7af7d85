"""What happens to an event, in order: enrich, identity, stitch; and the command line."""
