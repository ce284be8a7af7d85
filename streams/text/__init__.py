"""Analysis of free text: scrubbing of personal data, language, polarity and aspects. Offline and deterministic."""
