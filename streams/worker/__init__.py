"""What every stream worker is made of: the process, its input and output, batching, its HTTP page."""
