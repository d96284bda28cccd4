"""Redis behind TLS: redis-py shakes hands, then the wire has the socket, whichever event loop it belongs to."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from service.protocol.errors import StoreUnavailable
from service.storage.redis import RedisLink
from tests.contracts.redis_ground import PATIENT
from tests.servers.proxy import TcpProxy
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of `localhost`, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


async def test_a_link_by_tls_carries_small_and_large_and_many_at_once(
    valkey_server: ValkeyServer, valkey_url: str, certificate: Path
) -> None:
    async with TcpProxy(valkey_server.port, tls=_serving(certificate)) as proxy:
        url = f"rediss://localhost:{proxy.port}/0?ssl_ca_certs={certificate}"
        async with RedisLink.from_url(url, patience=PATIENT) as link:
            large = b"x" * 300_000
            await link.ask("large", ("SET", "large", large))
            assert await link.ask("large", ("GET", "large")) == large
            counted = await asyncio.gather(*(link.ask("n", ("INCR", "n")) for _ in range(50)))
    assert counted == list(range(1, 51))


async def test_a_certificate_that_nobody_vouches_for_is_refused(valkey_server: ValkeyServer, certificate: Path) -> None:
    async with (
        TcpProxy(valkey_server.port, tls=_serving(certificate)) as proxy,
        RedisLink.from_url(f"rediss://localhost:{proxy.port}/0", patience=PATIENT) as link,
    ):
        with pytest.raises(StoreUnavailable, match="redis"):
            await link.ping()


def _serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
