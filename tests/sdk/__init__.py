"""The kit's tests. `forge.py` signs anything with real keys; everything is read by the kit's real code."""
