"""Hashes, seals and signatures."""
