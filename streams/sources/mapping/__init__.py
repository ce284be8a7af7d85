"""Any table or list of JSON objects to events, as a mapping file says: no code, and no adapter, is needed."""
