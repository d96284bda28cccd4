"""The audit: one row for each act, and nobody changes, moves or takes away one unseen."""
