"""What free text says: scrubbed of personal data, its language, polarity and aspects. Offline and deterministic."""
