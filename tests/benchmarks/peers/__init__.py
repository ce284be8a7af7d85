"""The same job as the stitch worker's, written as each peer's own documentation would have it."""
