"""Every page as pictures, narrow and wide, light and dark: `python -m tests.pages.screenshots FOLDER`."""

import sys
import tempfile
from pathlib import Path

from tests.node.programs import find_chromium, run_program
from tests.pages.served import gallery, look


def main(folder: Path) -> None:
    """Take them. Raises `SystemExit` when there is no browser."""
    chromium = find_chromium() or sys.exit("There is no Chromium; `python3 run.py test` says why.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, gallery(Path(scratch)) as url:
        seen = look(run_program, chromium, url, pictures=folder.resolve())
    print(f"{sum(map(len, seen.values()))} pictures in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
