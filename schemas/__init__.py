"""What an event is: Avro schemas, touchpoint catalogue, codec, registry."""
