"""What an event is: Avro schemas, their codec and their registry."""
