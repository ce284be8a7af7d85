"""Kafka: batches in and out, what may be committed, state tables with a changelog, topics. One package knows Faust and
aiokafka."""
