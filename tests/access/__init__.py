"""Scopes and roles: the arithmetic of what a caller may do."""
