"""The whole pipeline on one machine: brokers, the engine, the supervisor."""
