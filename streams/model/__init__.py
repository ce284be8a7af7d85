"""What Rihla talks about: words, touchpoints, identifiers, dead letters. It knows no Kafka, clock or file of data."""
