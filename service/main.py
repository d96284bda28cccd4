"""What uvicorn loads, `service.main:app`: the only module with an import side effect.

`gatepost serve` starts it with everything in place. It can be given to another ASGI server, in production mode; then
that server's own limits on requests count.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import threading
import time

import service.cli.lean  # noqa: F401 - before anything that logs
from service import lean
from service.logs import configure_logs
from service.settings import PREFIX, Settings, SettingsRefused, load_settings

with lean.without("pydantic.v1"):  # FastAPI asks of each model whether it is one of pydantic 1
    from service.app import create_app

_ENDS_WITHIN = 20.0  # seconds
_BETWEEN_COLLECTIONS = 20_000
"""New objects, where Python collects after 700: what a request makes has gone by then without any search for cycles."""


def _whole(settings: Settings) -> Settings:
    """Raises `SettingsRefused` when something is missing that only `gatepost serve` brings along."""
    missing = [name for name in ("secret_key", "database_url", "redis_url") if not getattr(settings, name)]
    if missing:
        raise SettingsRefused([f"{PREFIX}{name.upper()}: is missing; `gatepost serve` sets it" for name in missing])
    return settings


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    """A worker whose supervisor was killed would keep the port for ever."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ENDS_WITHIN)
    os._exit(1)


def _settle() -> None:
    """Give back what building has left over (20 MB, most of it of the first password hash), and have later garbage
    collections pass over what stays for ever."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)


supervisor = multiprocessing.parent_process()
if supervisor is not None:
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
settings = _whole(load_settings(os.environ))
configure_logs(level=settings.log.level, form=settings.log.form)
app = create_app(settings)
_settle()
