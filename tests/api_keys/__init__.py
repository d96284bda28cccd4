"""API keys: their text, and the acts of their owner."""
