"""The loop closes: what people answer to alerts and cases, and the links by which they do."""
