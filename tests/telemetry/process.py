"""A process that counts in a folder until it is told to end, for tests that kill some."""

import asyncio
import sys
from pathlib import Path

from service.tally import Spread, Tally
from service.telemetry import Folder, Level, Metrics

HELD = Tally("held", "What a process was told to count", "kind")
TOOK = Spread("took_seconds", "What that took", "kind")


async def main(path: Path, pending: int) -> None:
    async def nothing() -> tuple[Level, ...]:
        return ()

    levels = [Level("password_hashes_pending", pending)] if pending else []
    metrics = Metrics(Folder(path), lambda: levels, nothing)
    await metrics.start()
    for line in sys.stdin:
        HELD.add("x", times=int(line))
        TOOK.add(0.002, "x")
        sys.stdout.buffer.write(await metrics.text() + b"# EOF\n")
        sys.stdout.flush()
    await metrics.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
