"""HEAD over a real server, which itself has to know that no body follows."""

import http.client
from pathlib import Path

import pytest

from tests.servers.gatepost import GatepostServer, settings_for
from tests.servers.valkey import ValkeyServer


@pytest.mark.spec("RFC 9110 §9.3.2")
def test_head_has_the_fields_of_get_and_no_body_and_the_connection_lives_on(
    server_folder: Path, sqlite_url: str, valkey_server: ValkeyServer
) -> None:
    server = GatepostServer(server_folder / "head", settings_for(sqlite_url, valkey_server.url, LOG__LEVEL="error"))
    server.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        for path, status in (("/auth/verify", 401), ("/livez", 200), ("/nowhere", 404)):
            answers = {}
            for method in ("GET", "HEAD", "GET", "HEAD"):
                connection.request(method, path, headers={"X-Request-ID": "same"})  # theirs may differ in length
                opened = connection.sock
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == status
                assert (method == "HEAD") is (body == b"")
                assert connection.sock is opened is not None, f"{method} {path} closed the connection"
                answers[method] = {
                    name: value for name, value in answer.getheaders() if name not in {"date", "x-request-id"}
                }
            assert answers["GET"] == answers["HEAD"]
        connection.close()
        assert "error" not in server.log.read_text().lower(), "nothing to complain of"
    finally:
        server.kill()
