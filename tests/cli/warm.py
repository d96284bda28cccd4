"""A process that has loaded the command line and all that commands need, and becomes one command after the other by
forking: a real process with its own arguments, environment and streams, without a second of loading for each.

Each line on standard input is an order as JSON, for one or more commands at once; the answer is their exit codes.
"""

import importlib
import json
import os
import sys
from typing import Any, NoReturn

from service.cli.tree import run

LOADED = ("service.app", "service.cli.examination")


def become(arguments: list[str], order: dict[str, Any]) -> NoReturn:
    """Run a command as `python -m service` would, and end with its exit code."""
    for descriptor, path in enumerate(order["streams"]):
        os.dup2(os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY), descriptor)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = ["gatepost", *arguments]
    code = 70
    try:
        run()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


def fork(arguments: list[str], order: dict[str, Any]) -> int:
    """The process id of the command, which has begun."""
    if (child := os.fork()) == 0:
        become(arguments, order)
    return child


if __name__ == "__main__":
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        asked = json.loads(line)
        children = [fork(arguments, asked) for arguments in asked["commands"]]
        print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children], flush=True)
