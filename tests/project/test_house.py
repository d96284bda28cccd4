"""Names, docstrings and addresses: what must hold for every file."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRIVATE = {"var", "node_modules", "dist", "__pycache__"}
BANNED = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "manager", "managers"}
CODE = sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("sdk/**/*.py")])
FACES = [path for path in CODE if path.name == "__init__.py"]
# Written in two halves, so that this file is not its own finding.
REGISTRIES = [
    "py" "pi.org", "python" "hosted.org", "docker" ".io", "gh" "cr.io", "qu" "ay.io", "gcr" ".io", "registry" ".npmjs",
    "--index" "-url", "--extra-index" "-url", "--find" "-links", "jsd" "elivr", "unp" "kg.com", "cdn" "js",
]  # fmt: skip


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def committed() -> Iterator[Path]:
    """Every file that belongs to the project: what git would take, or in an unpacked archive, what lies there."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
        yield from (path for path in paths if path.is_file() or path.is_symlink())
        return
    for path in ROOT.rglob("*"):
        folders = path.relative_to(ROOT).parts[:-1]
        hidden = any(folder.startswith(".") and folder != ".ci" for folder in folders)
        if path.is_file() and not hidden and PRIVATE.isdisjoint(folders):
            yield path


def test_there_is_something_to_look_at() -> None:
    names = {name_of(path) for path in committed()}
    assert {"run.py", "pyproject.toml", "service/app/joinery.py", "requirements/run.txt", ".ci/run"} <= names
    assert len(FACES) > 12


def test_no_file_points_out_of_the_project() -> None:
    assert [name_of(path) for path in committed() if path.is_symlink()] == []


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_file_names_a_package_registry(registry: str) -> None:
    naming = [name_of(path) for path in committed() if registry.encode() in path.read_bytes()]
    assert naming == []


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_no_module_has_a_name_that_says_nothing(path: Path) -> None:
    assert BANNED.isdisjoint([path.stem, *path.relative_to(ROOT).parts[:-1]])


@pytest.mark.parametrize("path", FACES, ids=name_of)
def test_every_room_says_what_it_owns(path: Path) -> None:
    told = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert len(told.split()) >= 8, "say what it owns, what it refuses to know, and which file to read first"


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_nobody_raises_http_exception(path: Path) -> None:
    raised = [
        node.exc.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    ]
    assert "HTTPException" not in raised


# Whoever lacks Node or Chromium still has a suite to run; `.ci/run` takes no such excuse.
MAY_SKIP = ROOT / "tests" / "conftest.py"
TESTS = sorted({*(ROOT / "tests").rglob("*.py")} - {MAY_SKIP})


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_is_skipped_or_expected_to_fail(path: Path) -> None:
    found = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert found.isdisjoint({"skip", "skipif", "xfail", "importorskip"})


def test_the_migrations_folder_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
