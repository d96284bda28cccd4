"""node's oidc-provider as an OpenID provider on loopback: another people's reading of the standards."""

import os
from pathlib import Path
from secrets import token_urlsafe

from tests.node.programs import HERE
from tests.servers.gatepost import is_alive
from tests.servers.process import ServerProcess, free_ports


class NodeProvider(ServerProcess):
    """One process, with one client, which may be sent back to `redirect_uri`. Signs in whoever comes, as ada."""

    client_id = "gatepost"

    def __init__(self, folder: Path, *, redirect_uri: str) -> None:
        folder.mkdir()
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.client_secret = token_urlsafe(32)
        environ = {
            "PATH": os.environ["PATH"],
            "NODE_ENV": "production",
            "IDP_PORT": str(port),
            "IDP_CLIENT": self.client_id,
            "IDP_SECRET": self.client_secret,
            "IDP_REDIRECT": redirect_uri,
        }
        super().__init__(
            ["/usr/bin/env", "node", str(HERE / "identity_provider.mjs")],
            folder=folder,
            is_ready=lambda: is_alive(self.url, "/.well-known/openid-configuration"),
            environ=environ,
        )
