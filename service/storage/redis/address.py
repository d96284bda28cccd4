"""The Redis URL: which servers, how they are found, and how a connection to one is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Sentinel
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

_SENTINEL_WITHIN = 0.25  # seconds; they are asked one after the other
_USUAL_PORTS = {"sentinel": "26379", "cluster": "6379"}


class Layout(Enum):
    """How the servers stand to each other."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL. `options` are arguments of a connection, secrets among them."""

    layout: Layout
    hosts: tuple[tuple[str, int], ...]
    service: str
    connection_class: type[AbstractConnection]
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Address({self.layout.value}, {self.hosts})"

    def dial(self, host: str, port: int) -> AbstractConnection:
        """A connection, not yet connected, to this server of a cluster."""
        return self.connection_class(**{**self.options, "host": host, "port": port})

    def dial_single(self) -> AbstractConnection:
        """A connection, not yet connected, to the one server."""
        return self.connection_class(**self.options)


def parse_address(url: str) -> Address:
    """Read a URL. Raises `ValueError` when it has another form:

    `redis://[user:password@]host[:port][/db]`, `rediss://…`, `unix://[user:password@]/path?db=0`;
    `redis+sentinel://[user:password@]host:port,host:port/service[/db]`, `redis+cluster://[user:password@]host:port,…`,
    both also with `rediss+`. A query may carry options of a redis-py connection, as `ssl_ca_certs`. Sentinels are asked
    with TLS when the servers are, and without a password.
    """
    scheme, _, layout = urlsplit(url).scheme.partition("+")
    if not layout:
        return _address(Layout.SINGLE, url, (), "")
    if layout not in ("sentinel", "cluster") or scheme not in ("redis", "rediss"):
        raise ValueError(f"Redis URL scheme {scheme}+{layout} is not known")
    parts = urlsplit(url)
    user_info, _, host_list = parts.netloc.rpartition("@")
    hosts = tuple(_host(text, usual_port=_USUAL_PORTS[layout]) for text in host_list.split(","))
    service, _, db = parts.path.strip("/").partition("/")
    if layout == "cluster":
        service, db = "", service
        if db not in ("", "0"):
            raise ValueError("a Redis cluster has only database 0")
    elif not service:
        raise ValueError("a Sentinel URL needs the service's name: redis+sentinel://host:port/service")
    first = f"[{hosts[0][0]}]" if ":" in hosts[0][0] else hosts[0][0]
    plain = f"{scheme}://{user_info + '@' if user_info else ''}{first}:{hosts[0][1]}/{db}?{parts.query}"
    return _address(Layout(layout), plain, hosts, service)


def _address(layout: Layout, url: str, hosts: tuple[tuple[str, int], ...], service: str) -> Address:
    options: dict[str, Any] = dict(parse_url(url))
    connection_class = options.pop("connection_class", Connection)
    address = Address(
        layout=layout,
        hosts=hosts,
        service=service,
        connection_class=connection_class,
        options={
            **options,
            "socket_connect_timeout": None,  # the wire keeps the time of all that it does
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 3,
            "client_name": "gatepost",
            "driver_info": None,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        },
    )
    try:
        address.dial_single()
    except TypeError as error:  # its words name the option, not the value
        raise ValueError(f"a Redis connection takes no such option: {error}") from None
    return address


def _host(text: str, *, usual_port: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, usual_port
    if not host or not port.isdigit():
        raise ValueError("a Redis URL needs host:port, with a comma between two")
    return host.strip("[]"), int(port)


class SentinelDialler:
    """Makes connections that ask the sentinels who the master is, each time they connect."""

    def __init__(self, address: Address) -> None:
        options = dict(address.options)
        for name in ("host", "port", "path"):
            options.pop(name, None)
        secure = {"ssl": True} if issubclass(address.connection_class, SSLConnection) else {}
        self._sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py left it untyped
            address.hosts,
            sentinel_kwargs={
                **secure,
                **{name: value for name, value in options.items() if name.startswith("ssl_")},
                "socket_timeout": _SENTINEL_WITHIN,
                "socket_connect_timeout": _SENTINEL_WITHIN,
                "retry": Retry(NoBackoff(), 0),
                "maint_notifications_config": MaintNotificationsConfig(enabled=False),
            },
        )
        self._pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]  # as above
            address.service, self._sentinel, **secure, **options
        )

    @property
    def dial(self) -> Callable[[], AbstractConnection]:
        """A connection, not yet connected, to whichever server is the master then."""
        return self._pool.make_connection

    async def close(self) -> None:
        """Hang up on the sentinels."""
        for sentinel in self._sentinel.sentinels:
            await sentinel.aclose()
        await self._pool.aclose()
