"""The bench runs to its end and prints what it promises. No time is judged."""
