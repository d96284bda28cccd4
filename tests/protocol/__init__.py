"""The grammar: what each byte of a field may be."""
