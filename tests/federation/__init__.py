"""Signing in with another service, against OpenID providers, GitHub and Facebook on loopback."""
