"""Access tokens: what is put into one, and how one is read back and remembered."""
