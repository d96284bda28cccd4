"""`gatepost audit`: search, export, verify, erase, as an operator types them."""

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.web.events import EventShown
from tests.cli.running import PASSWORD, Gatepost, Warm, wait_for


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Gatepost:
    """A deployment in which ada was made and changed, all of it sealed, with a head."""
    made = Gatepost(tmp_path_factory.mktemp("gatepost"), warm=warm, AUDIT__HEAD_EVERY="1s")
    assert made.run("users", "create", "ada", "--password-stdin", typed=f"{PASSWORD}\n").returncode == 0
    assert made.run("users", "set-roles", "ada", "admin").returncode == 0
    with made.start() as serving:
        assert serving.sign_in("ada").status_code == 200
        wait_for(lambda: heads_of(made) and unsealed(made) == 0, within=15)
    return made


def heads_of(gatepost: Gatepost) -> list[str]:
    file = gatepost.folder / "var" / "audit-heads"
    return file.read_text().splitlines() if file.exists() else []


def ledger(gatepost: Gatepost) -> sqlite3.Connection:
    [file] = (gatepost.folder / "var").glob("*.db")
    return sqlite3.connect(file)


def unsealed(gatepost: Gatepost) -> int:
    with closing(ledger(gatepost)) as open_ledger:
        return int(open_ledger.execute("SELECT count(*) FROM audit WHERE seq IS NULL").fetchone()[0])


def test_events_are_found_by_what_they_say(gatepost: Gatepost) -> None:
    rows = gatepost.ask("audit", "search", "--user", "ada")
    assert [row["kind"] for row in rows] == ["sign_in", "user.changed", "user.created"]
    assert rows[0].keys() == EventShown.model_fields.keys()
    assert [row["actor_kind"] for row in rows] == ["user", "operator", "operator"]
    assert (rows[1]["scheme"], rows[1]["detail"]["roles"]) == ("command line", ["admin"])
    assert [row["kind"] for row in gatepost.ask("audit", "search", "--kind", "user.created")] == ["user.created"]
    for narrower in (("--until", "2020-01-01"), ("--since", "2999-01-01"), ("--outcome", "refused")):
        assert gatepost.ask("audit", "search", "--user", "ada", *narrower) == [], narrower
    page = gatepost.ask("audit", "search", "--user", "ada", "--limit", "1", "--after", rows[0]["id"])
    assert [row["kind"] for row in page] == ["user.changed"]
    assert "sign_in" in gatepost.run("audit", "search").stdout


def test_everything_is_taken_out_in_two_forms_and_says_how_far_it_is(gatepost: Gatepost) -> None:
    ran = gatepost.run("audit", "export")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert {row["kind"] for row in rows} >= {"sign_in", "user.changed", "user.created", "signing_key.made"}
    assert f"{len(rows)} of {len(rows)} events" in ran.stderr
    file = gatepost.folder / "out.csv"
    assert gatepost.run("audit", "export", "--form", "csv", "--output", str(file)).returncode == 0
    with file.open(newline="") as opened:
        table = list(csv.DictReader(opened))
    assert [row["id"] for row in table] == [row["id"] for row in rows]
    assert json.loads(table[0]["detail"]) == rows[0]["detail"]
    assert gatepost.run("audit", "export", "--output", str(file)).returncode != 0, "nothing is overwritten"


@pytest.mark.spec("AUD-04")
def test_a_whole_chain_is_good_and_a_broken_one_is_named(gatepost: Gatepost, tmp_path: Path) -> None:
    ran = gatepost.run("audit", "verify", "--json")
    found = json.loads(ran.stdout)
    assert (ran.returncode, found["broken"], found["unsealed"]) == (0, None, 0), ran.stderr
    assert found["rows"] >= 5
    assert found["heads"] >= 1
    assert "no head" in gatepost.run("audit", "verify", "--heads", str(tmp_path / "none")).stderr
    other = tmp_path / "heads"
    other.write_text("x.y.z\n")
    assert gatepost.run("audit", "verify", "--heads", str(other)).returncode == 1
    with closing(ledger(gatepost)) as open_ledger, open_ledger:
        kept = open_ledger.execute("SELECT max(seq) FROM audit").fetchone()[0]
        open_ledger.execute("UPDATE audit SET seq = -seq WHERE seq = ?", (kept,))
    ran = gatepost.run("audit", "verify")
    with closing(ledger(gatepost)) as open_ledger, open_ledger:
        open_ledger.execute("UPDATE audit SET seq = -seq WHERE seq < 0")
    assert ran.returncode == 1
    assert "the tail was cut" in ran.stderr
    assert gatepost.run("audit", "verify").returncode == 0


def test_an_erased_person_leaves_a_whole_chain(gatepost: Gatepost) -> None:
    assert gatepost.ask("audit", "erase", "ada")["events"] == 3
    rows = gatepost.ask("audit", "search", "--user", "ada")
    assert [row["kind"] for row in rows] == ["audit.erased", "sign_in", "user.changed", "user.created"]
    assert [row["personal"] for row in rows[1:]] == [None] * 3
    assert gatepost.run("audit", "verify").returncode == 0


@pytest.mark.spec("AUD-01")
def test_each_command_that_changes_something_is_one_row_of_the_operator(gatepost: Gatepost) -> None:
    assert gatepost.run("users", "create", "bob", "--password-stdin", typed=f"{PASSWORD}\n").returncode == 0
    client = gatepost.ask("clients", "create", "App", "--scope", "openid")["id"]
    key = gatepost.ask("api-keys", "create", "laptop", "--user", "bob")["id"]
    provider = ("acme", "--kind", "oidc", "--client-id", "x", "--issuer", "https://id.acme.example", "--public")
    commands = (
        (("users", "set-roles", "bob", "admin"), "user.changed"),
        (("users", "set-email", "bob", "bob@example.org", "--verified"), "user.changed"),
        (("users", "set-profile", "bob", "name=Bob"), "user.changed"),
        (("users", "disable", "bob"), "user.changed"),
        (("users", "enable", "bob"), "user.changed"),
        (("clients", "change", client, "--name", "Other"), "client.changed"),
        (("clients", "disable", client), "client.changed"),
        (("clients", "rotate-secret", client), "client.secret_rotated"),
        (("api-keys", "rotate", key), "api_key.rotated"),
        (("api-keys", "revoke", key), "api_key.revoked"),
        (("keys", "rotate"), "signing_key.made"),
        (("sessions", "end-all", "--user", "bob"), "sessions.ended"),
        (("identity-providers", "add", *provider), "provider.added"),
        (("identity-providers", "disable", "acme"), "provider.changed"),
        (("identity-providers", "remove", "acme"), "provider.removed"),
    )
    for command, _ in commands:
        ran = gatepost.run(*command)
        assert ran.returncode == 0, (command, ran.stderr)
    rows = gatepost.ask("audit", "search", "--limit", str(len(commands) + 1))
    assert rows.pop()["target"] == f"api_key:{key}", "the last one before these"
    assert [row["kind"] for row in reversed(rows)] == [kind for _, kind in commands]
    assert {(row["actor_kind"], row["scheme"]) for row in rows} == {("operator", "command line")}
