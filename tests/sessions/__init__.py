"""Refresh tokens, their rotation, and the ends of a session."""
