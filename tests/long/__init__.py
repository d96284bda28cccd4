"""Proofs that take minutes, each with a command of its own; the suite has a short cut of every one."""
