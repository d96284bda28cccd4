"""What operators type: `gatepost serve`, and everything that administrators can do over HTTP.

Owns the commands, one file per noun, what they print and how they end; the files and the Valkey that local mode brings
along (`local.py`); starting and stopping workers (`serve.py`). Refuses to decide anything: each command calls one room.
Read `tree.py` first, then `house.py`.
"""

import sys


def main() -> None:
    """Run what the arguments ask for, and end the process. Workers import this room too, and need none of it."""
    if sys.argv[1:] == ["serve"]:
        import service.cli.lean  # noqa: F401 - before anything that logs
        from service.cli.serve import serve_alone

        serve_alone()
        return
    from service.cli.tree import run

    run()


__all__ = ["main"]
