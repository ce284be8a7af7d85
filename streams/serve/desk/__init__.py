"""The desk: the web page on which people use Customer 360, and the JSON that only this page requests (docs/desk.md)."""
