"""Signing keys over a real ledger: first keys, rotation, loss."""
