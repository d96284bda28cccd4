"""`gatepost serve`: everything in place, then uvicorn, then nothing left behind."""

import asyncio
import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from service.cli.exits import CannotStart, Exit, leave_for, say

if TYPE_CHECKING:
    import uvicorn

    from service.settings import Settings

_BACKLOG = 2_048
_KEEPS_ALIVE = 75  # seconds; longer than proxies keep an idle connection, so that it is theirs to close
_GOES_WITHIN = 10  # seconds that requests in progress have when the server is told to stop


def serve() -> None:
    """Serve until told to stop. Settings come from the environment and .env; see `gatepost config example`.

    In local mode it brings its own database and Valkey along, under var/. Ctrl-C or SIGTERM end it in good order.
    """
    _end_in_good_order()
    from service.cli.checked import checked_settings
    from service.cli.local import hand_down, own_stores
    from service.logs import configure_logs

    settings = checked_settings(os.environ)
    configure_logs(level=settings.log.level, form=settings.log.form)
    tell = _teller(settings)
    with _listeners(settings) as listeners, _room_for_figures(settings), own_stores(settings) as whole:
        if settings.mode == "local":
            tell(f"local mode; what it keeps is in {settings.var.resolve()}")
        link = asyncio.run(_prepare(whole, tell))
        hand_down(settings, whole)
        threading.Thread(target=_greet, args=(whole, listeners[0].getsockname(), link, tell), daemon=True).start()
        _run(_uvicorn_config(settings.server.workers), listeners)


def serve_alone() -> None:
    """`gatepost serve` without the tree of commands, whose library a process that runs for months need not keep."""
    from service.cli.environment import read_env_file

    try:
        read_env_file()
        serve()
    except Exception as error:
        leave_for(error)


async def _prepare(settings: "Settings", tell: Callable[[str], None]) -> str | None:
    """The tables as they must be, and the secret of a setup link when there is no administrator yet.

    A database that does not answer keeps nobody from starting: what needs it will be told 503 until it is back.
    Raises `CannotStart` in production for a database that has not been migrated.
    """
    from service.protocol.errors import StoreUnavailable
    from service.storage.sql.revision import is_current

    try:
        if not await is_current(settings.database_url.get_secret_value()):
            await _bring_up_to_date(settings, tell)
        return await _offer_setup(settings)
    except StoreUnavailable as refusal:
        tell(f"the database does not answer; starting without it ({refusal.detail})")
        return None


async def _bring_up_to_date(settings: "Settings", tell: Callable[[str], None]) -> None:
    from service.cli.migrating import migrate, standing

    found = await standing(settings)
    if found.unknown:
        tell(f"the database is at {found.revision}, which is newer than this Gatepost")
    elif settings.mode == "local":
        tell(f"database migrated: {', '.join(await migrate(settings))}")
    else:
        raise CannotStart(f"the database lacks {', '.join(found.pending)}: run `gatepost db upgrade` first")


async def _offer_setup(settings: "Settings") -> str | None:
    from service import clock, lean

    with lean.without("pydantic.v1"):  # as in `service.main`
        from service.app import build_house
    from service.storage.sql import Database, SqlUsers

    async with AsyncExitStack() as closing:
        database = Database(settings.database_url.get_secret_value(), pool_size=1)
        closing.push_async_callback(database.close)
        if await SqlUsers(database).has_any_admin():
            return None
        house = build_house(settings)
        closing.push_async_callback(house.database.close)
        closing.push_async_callback(house.link.close)
        closing.callback(house.passwords.close)
        return await house.rooms.directory.offer_setup(now=clock.now())


def _uvicorn_config(workers: int) -> "uvicorn.Config":
    import uvicorn

    from service.cli import http_protocol

    return uvicorn.Config(
        "service.main:app",
        http=http_protocol.HttpProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEPS_ALIVE,
        timeout_graceful_shutdown=_GOES_WITHIN,
        callback_notify=http_protocol.drop_slow,
        timeout_notify=http_protocol.SWEEP_EVERY,
    )


def _run(config: "uvicorn.Config", listeners: list[socket.socket]) -> None:
    """One worker in this process, or several under a supervisor that starts anew what dies."""
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    if config.workers == 1:
        try:
            uvicorn.Server(config).run(sockets=listeners)
        except SystemExit as end:
            if end.code == STARTUP_FAILURE:
                raise CannotStart("the worker could not start; the log says why") from None
            raise
        return
    supervisor = Multiprocess(config, sockets=listeners)
    supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        raise CannotStart("a worker could not start; the log says why")


def _end_in_good_order() -> None:
    """From now on SIGINT and SIGTERM end the process once, with exit code 0; what it holds is closed on the way out."""

    def end(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(Exit.OK)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


@contextmanager
def _listeners(settings: "Settings") -> Iterator[list[socket.socket]]:
    """The port of everybody, then that of the management if there is one; both are held from now on: callers wait until
    a worker takes their connections. Raises `CannotStart`."""
    server = settings.server
    asked = [("", server.host, server.port), ("MANAGEMENT_", server.management_host, server.management_port)]
    with ExitStack() as closing:
        yield [closing.enter_context(_listener(host, port, which)) for which, host, port in asked if port]


@contextmanager
def _room_for_figures(settings: "Settings") -> Iterator[None]:
    """A folder in which the workers lay their metrics together. Raises `CannotStart`."""
    from service.telemetry.folder import VARIABLE, ForeignFile, NoFolder, made_folder

    try:
        with made_folder() if settings.telemetry.metrics else nullcontext():
            yield
    except NoFolder:
        raise CannotStart(
            "there is no place for the figures of /metrics: set TMPDIR to a folder that can be written, or "
            "GATEPOST_TELEMETRY__METRICS=false"
        ) from None
    except ForeignFile as file:
        raise CannotStart(
            f"the folder of {VARIABLE} is for the figures of /metrics alone, and holds {file}: name another folder"
        ) from None


def _listener(host: str, port: int, which: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.set_inheritable(True)
    except OSError as problem:
        raise CannotStart(
            f"cannot listen on {host} port {port} ({problem.strerror}): end what listens there, or set "
            f"GATEPOST_SERVER__{which}HOST and GATEPOST_SERVER__{which}PORT"
        ) from None
    return listener


def _greet(settings: "Settings", address: tuple[str, int], link: str | None, tell: Callable[[str], None]) -> None:
    """Wait for the first answer, then say where everything is."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104 - compared, not bound
    try:
        connection = http.client.HTTPConnection(host, address[1], timeout=60)
        connection.request("GET", "/livez")
        connection.getresponse().read()
    except OSError:
        return
    tell(f"ready on {settings.public_url}, documentation on {settings.public_url}/docs")
    if link is not None:
        tell("there is no administrator yet; this link makes one, once, within 15 minutes:")
        print(f"\n    {settings.public_url}/setup?token={link}\n", flush=True)


def _teller(settings: "Settings") -> Callable[[str], None]:
    """How progress is told: to people in plain words, to machines as log lines."""
    if settings.log.form == "console":
        return say
    import structlog

    return lambda text: structlog.get_logger("gatepost.serve").info("serving", text=text)
