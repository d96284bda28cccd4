"""The Redis URL: every form that is documented, and the refusal of every other."""

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from service.storage.redis import RedisLink
from service.storage.redis.address import Layout, SentinelDialler, parse_address

pytestmark = pytest.mark.anyio


def test_one_server_by_tcp() -> None:
    address = parse_address("redis://user:p%40ss@db.internal:7000/3")
    assert address.layout is Layout.SINGLE
    connection = address.dial_single()
    assert type(connection) is Connection
    assert (connection.host, connection.port, connection.db) == ("db.internal", 7000, 3)
    assert (connection.username, connection.password, connection.protocol) == ("user", "p@ss", 3)


def test_one_server_by_tls() -> None:
    connection = parse_address("rediss://db.internal?ssl_cert_reqs=required").dial_single()
    assert type(connection) is SSLConnection
    assert (connection.host, connection.port) == ("db.internal", 6379)


def test_one_server_by_unix_socket() -> None:
    connection = parse_address("unix://:secret@/run/valkey/s?db=2").dial_single()
    assert type(connection) is UnixDomainSocketConnection
    assert (connection.path, connection.db, connection.password) == ("/run/valkey/s", 2, "secret")


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_behind_sentinel(scheme: str) -> None:
    address = parse_address(f"{scheme}+sentinel://user:p%40ss@s1:26379,[::1]:26380,s3/main/4")
    assert address.layout is Layout.SENTINEL
    assert address.hosts == (("s1", 26379), ("::1", 26380), ("s3", 26379))
    assert address.service == "main"
    dialler = SentinelDialler(address)
    connection = dialler.dial()
    assert type(connection) is (SentinelManagedConnection if scheme == "redis" else SentinelManagedSSLConnection)
    assert (connection.db, connection.username, connection.password) == (4, "user", "p@ss")
    await dialler.close()


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
@pytest.mark.parametrize("path", ["", "/", "/0"])
def test_a_cluster(scheme: str, path: str) -> None:
    address = parse_address(f"{scheme}+cluster://:p%3Ass@c1:7000,c2{path}")
    assert address.layout is Layout.CLUSTER
    assert address.hosts == (("c1", 7000), ("c2", 6379))
    connection = address.dial("10.0.0.7", 7002)
    assert type(connection) is (Connection if scheme == "redis" else SSLConnection)
    assert (connection.host, connection.port, connection.password) == ("10.0.0.7", 7002, "p:ss")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis+proxy://localhost",
        "valkey+cluster://c1:7000",
        "unix+cluster:///run/s",
        "redis+sentinel://s1:26379",
        "redis+sentinel:///main",
        "redis+cluster://",
        "redis+cluster://c1:port",
        "redis+cluster://c1:7000,/0",
        "redis+cluster://c1:7000/1",
        "redis://localhost:99999",
        "redis://localhost/?db=two",
        "redis://localhost/?colour=blue",
        "redis+cluster://c1:7000?colour=blue",
    ],
)
def test_any_other_url_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        RedisLink.from_url(url)


def test_a_refusal_and_a_repr_show_no_password() -> None:
    assert "s3cret" not in repr(parse_address("redis://:s3cret@localhost"))
    for url in ("redis+cluster://:s3cret@c1:7000/1", "redis://:s3cret@localhost/?colour=blue", "x://:s3cret@h"):
        with pytest.raises(ValueError, match=r"\S") as refusal:
            RedisLink.from_url(url)
        assert "s3cret" not in str(refusal.value)
