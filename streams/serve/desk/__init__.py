"""The desk: the page by which people use Customer 360, and the JSON that only this page asks for (docs/desk.md)."""
