"""Signing in with another service, over the shipped application and a provider on loopback."""
