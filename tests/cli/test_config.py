"""`gatepost config`, and the file that shows every setting."""

import re
from pathlib import Path

from service.settings import Settings, knobs, load_settings
from tests.cli.running import ROOT, Gatepost

EXAMPLE = ROOT / ".env.example"


def test_the_example_file_is_what_the_code_says(tmp_path: Path) -> None:
    assert Gatepost(tmp_path).run("config", "example").stdout == EXAMPLE.read_text()


def test_the_example_file_names_every_setting_with_its_default() -> None:
    shown = dict(re.findall(r"^#(GATEPOST_\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert list(shown) == [knob.name for knob in knobs()]
    assert load_settings(shown) == Settings()
    assert all(knob.description.endswith(".") for knob in knobs())


def test_what_is_shown_has_no_secret_in_it(tmp_path: Path) -> None:
    secret = "o6H1mLJ0JzJ5w0E2bXyqgU7sXgkq1q3aYt3k9x5wVbE"
    database = "postgresql://gatepost:hunter22@db.example.com/gatepost"
    gatepost = Gatepost(tmp_path, SECRET_KEY=secret, DATABASE_URL=database, TOKENS__ACCESS_LIFE="900s")
    shown = {row["name"]: row["value"] for row in gatepost.ask("config", "show")}
    assert shown["GATEPOST_SECRET_KEY"] == shown["GATEPOST_DATABASE_URL"] == "(set)"
    assert shown["GATEPOST_PREVIOUS_SECRET_KEYS"] == ""
    assert shown["GATEPOST_TOKENS__ACCESS_LIFE"] == "15m"


def test_a_file_beside_the_command_says_what_the_environment_does_not(tmp_path: Path) -> None:
    lines = ["# a comment", "", "GATEPOST_TOKENS__ACCESS_LIFE=15m", "export GATEPOST_REDIS_PREFIX='x:'", "OTHER=$HOME"]
    (tmp_path / ".env").write_text("\n".join([*lines, "GATEPOST_LOG__LEVEL=debug"]))
    gatepost = Gatepost(tmp_path, LOG__LEVEL="error")
    shown = {row["name"]: row["value"] for row in gatepost.ask("config", "show")}
    assert shown["GATEPOST_TOKENS__ACCESS_LIFE"] == "15m"
    assert shown["GATEPOST_REDIS_PREFIX"] == "x:"
    assert shown["GATEPOST_LOG__LEVEL"] == "error"
    (tmp_path / ".env").write_text("GATEPOST_LOG__LEVEL=debug\nnonsense\n")
    ran = gatepost.run("config", "show")
    assert (ran.returncode, ran.stderr) == (4, "gatepost: .env line 2: write NAME=value\n")


def test_help_needs_no_store_and_no_framework(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path)
    gatepost.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    ran = gatepost.run("--help")
    assert ran.returncode == 0
    assert "gatepost [OPTIONS] COMMAND" in ran.stdout
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line}
    assert "typer" in loaded
    assert not loaded & {"fastapi", "sqlalchemy", "redis", "pydantic", "structlog", "uvicorn", "alembic"}
