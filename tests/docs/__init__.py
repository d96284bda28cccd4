"""What the documents claim, run."""
