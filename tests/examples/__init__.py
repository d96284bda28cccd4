"""Every file under `examples/` is run as a user runs it, against a real server."""
