"""A process that has loaded the command line and all that commands need, and becomes one command after the other by
forking: a real process with its own arguments, environment and streams, without a second of loading for each.

Each line on standard input is one command as JSON; the answer is its exit code.
"""

import importlib
import json
import os
import sys
from typing import Any, NoReturn

from service.cli.tree import run

LOADED = ("service.app", "service.cli.examination")


def become(command: dict[str, Any]) -> NoReturn:
    """Run the command as `python -m service` would, and end with its exit code."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY
        os.dup2(os.open(command[name], flags), descriptor)
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["environ"])
    sys.argv = ["gatepost", *command["arguments"]]
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


if __name__ == "__main__":
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
