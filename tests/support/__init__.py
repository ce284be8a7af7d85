"""What tests share: brokers, the engine, stand-ins, waiting."""
