"""Where events come from: files, adapters, the simulator."""
