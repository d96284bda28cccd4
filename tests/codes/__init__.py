"""One-time codes: their texts, their desks, and what a second coming means."""
