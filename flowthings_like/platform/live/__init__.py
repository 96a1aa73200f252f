"""Live messages: sessions that subscribe to flows and get their drops as they arrive."""
