"""What the kit shows to the world, and what it must not need."""

import subprocess
import sys
import tomllib
from pathlib import Path

import gatepost

SDK = Path(__file__).parents[2] / "sdk"


def test_the_public_names_are_these() -> None:
    assert gatepost.__all__ == [
        "AccessRefused",
        "AccessToken",
        "CannotDecide",
        "JwksCache",
        "KeySet",
        "KeysUnknown",
        "Principal",
        "Revocation",
        "RevocationFeed",
        "RevocationKind",
        "RevocationSet",
        "RevocationsUnknown",
        "ScopesMissing",
        "TokenReader",
        "TokenRefused",
        "UnknownKey",
        "VerificationKey",
        "Verifier",
        "check_scopes",
    ]
    assert all(hasattr(gatepost, name) for name in gatepost.__all__)


def test_the_kit_needs_neither_fastapi_nor_the_server() -> None:
    script = (
        "import sys\n"
        "sys.modules.update({name: None for name in ('fastapi', 'starlette', 'service', 'ecdsa', 'redis')})\n"
        "import gatepost, gatepost.challenge, gatepost.testing\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=SDK, timeout=60)


def test_the_distribution_says_what_it_needs_and_that_it_is_typed() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]
    names = {requirement.partition(">")[0].partition("[")[0] for requirement in project["dependencies"]}
    assert names == {"python-jose", "cryptography", "httpx2"}
    assert list(project["optional-dependencies"]) == ["fastapi"]
    assert (SDK / "gatepost" / "py.typed").exists()
