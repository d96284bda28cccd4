"""What local mode brings along, under `var/`: a secret, a SQLite file, a Valkey. What is configured is left alone."""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from service.cli.exits import CannotStart
from service.crypto.secret import RootSecret
from service.settings import Settings, SettingsRefused
from service.storage.embedded import EmbeddedValkey, FolderInUse

SECRET, DATABASE, VALKEY, VALKEY_URL = "secret.key", "gatepost.db", "valkey", "valkey.url"
_WAITS_FOR_OTHERS = timedelta(seconds=10)


@contextmanager
def own_stores(settings: Settings) -> Iterator[Settings]:
    """For the server: the settings completed. Its Valkey runs as long as the block, and others find it.

    Raises `SettingsRefused`, `EmbeddedValkeyError`, `CannotStart`.
    """
    settings = with_files(settings)
    if settings.redis_url:
        yield settings
        return
    note = settings.var.resolve() / VALKEY_URL
    with EmbeddedValkey(note.with_name(VALKEY)) as valkey:
        _write_privately(note, valkey.url)
        try:
            yield _with_redis(settings, valkey.url)
        finally:
            note.unlink(missing_ok=True)


@contextmanager
def borrowed_stores(settings: Settings) -> Iterator[Settings]:
    """For a command: the settings completed with the running server's Valkey, or with one for the moment.

    Raises as `own_stores` does.
    """
    settings = with_files(settings)
    if settings.redis_url:
        yield settings
        return
    note = settings.var.resolve() / VALKEY_URL
    with ExitStack() as ending:
        url = _running(note) or _started(note, ending)
        yield _with_redis(settings, url)


def with_files(settings: Settings) -> Settings:
    """The settings with the secret and the SQLite file of `var/`, which are made when they are missing."""
    var = settings.var.resolve()
    found = {}
    try:
        if not (settings.secret_key and settings.database_url and settings.redis_url):
            var.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not settings.secret_key:
            found["secret_key"] = SecretStr(_kept_secret(var / SECRET))
        if not settings.database_url:
            found["database_url"] = SecretStr(f"sqlite+aiosqlite:///{var / DATABASE}")
    except OSError as problem:
        raise CannotStart(f"{var} cannot be used ({problem.strerror}): set GATEPOST_VAR to a folder of yours") from None
    return settings.model_copy(update=found)


def hand_down(given: Settings, whole: Settings) -> None:
    """Put what was brought along into the environment, for workers. It never shows in an argument list."""
    for name in ("secret_key", "database_url", "redis_url"):
        if not getattr(given, name):
            variable = f"GATEPOST_{name.upper()}"
            os.environ.pop(f"{variable}_FILE", None)
            os.environ[variable] = getattr(whole, name).get_secret_value()


def _kept_secret(file: Path) -> str:
    """The secret in the file; of several processes that make it at once, all get the same."""
    if not file.exists():
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        _write_privately(fresh, secrets.token_urlsafe(32))
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    text = file.read_text().strip()
    try:
        RootSecret.parse(text)
    except ValueError as problem:
        raise SettingsRefused([f"{file}: {problem}"]) from None
    return text


def _write_privately(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


def _running(note: Path) -> str | None:
    """The URL of the running server's Valkey, if one is running; a killed server leaves its note behind."""
    try:
        url = note.read_text()
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(urlsplit(url).path)
    except OSError:
        return None
    return url


def _started(note: Path, ending: ExitStack) -> str:
    """The URL of a Valkey of our own, until `ending`; of a server's that has come meanwhile; commands take turns."""
    valkey = EmbeddedValkey(note.with_name(VALKEY))
    deadline = time.monotonic() + _WAITS_FOR_OTHERS.total_seconds()
    while True:
        try:
            url = valkey.start()
        except FolderInUse:
            if found := _running(note):
                return found
            if time.monotonic() > deadline:
                raise
        else:
            ending.callback(valkey.stop)
            return url


def _with_redis(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(url)})
