"""`gatepost usage`: who used how much, as an operator types it."""

import csv
import io

import pytest

from tests.cli.running import PASSWORD, Gatepost, Warm


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Gatepost:
    """A deployment in which ada has signed in and asked who she is three times, and somebody once."""
    made = Gatepost(tmp_path_factory.mktemp("gatepost"), warm=warm, USAGE__FLUSH_EVERY="5m")
    assert made.run("users", "create", "ada", "--password-stdin", typed=f"{PASSWORD}\n").returncode == 0
    with made.start() as serving:
        token = serving.sign_in("ada").json()["access_token"]
        for headers in [{"Authorization": f"Bearer {token}"}] * 3 + [{}]:
            serving.client.get("/users/me", headers=headers)
    return made  # it has ended in good order: all is written


def test_totals_are_told_apart_as_asked(gatepost: Gatepost) -> None:
    ada = gatepost.ask("users", "show", "ada")["id"]
    rows = gatepost.ask("usage", "--by", "principal", "--by", "outcome", "--route", "/users/me")
    assert [(row["kind"], row["subject"], row["outcome"], row["requests"]) for row in rows] == [
        ("nobody", "", "refused", 1),
        ("user", ada, "ok", 3),
    ]
    assert [row["requests"] for row in gatepost.ask("usage", "--user", "ada")] == [4]
    assert [row["requests"] for row in gatepost.ask("usage", "--user", "ada", "--client", "gatepost")] == [4]
    by_day = gatepost.ask("usage", "--user", "ada", "--per", "day", "--outcome", "ok")
    assert sum(row["requests"] for row in by_day) == 4
    assert gatepost.ask("usage", "--user", "ada", "--until", "2020-01-01") == []
    assert gatepost.ask("usage", "--user", "ada", "--since", "2020-01-01")[0]["requests"] == 4


def test_what_nobody_has_used_yet_is_one_total(gatepost: Gatepost) -> None:
    [unused] = gatepost.ask("usage", "--by", "api_key", "--user", "ada")
    assert (unused["api_key_id"], unused["requests"]) == ("", 4)


def test_a_table_has_the_columns_that_were_asked_for_and_a_spreadsheet_all(gatepost: Gatepost) -> None:
    table = gatepost.run("usage", "--by", "route", "--user", "ada").stdout.splitlines()
    assert [line.split() for line in table] == [["route", "requests"], ["/auth/login", "1"], ["/users/me", "3"]]
    told = gatepost.run("usage", "--by", "route", "--user", "ada", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(told)))
    assert [(row["route"], row["subject"], row["requests"]) for row in rows] == [
        ("/auth/login", "", "1"),
        ("/users/me", "", "3"),
    ]


def test_a_question_that_makes_no_sense_is_wrong_usage(gatepost: Gatepost) -> None:
    assert gatepost.run("usage", "--by", "colour").returncode == 2
    assert gatepost.run("usage", "--user", "nobody").returncode == 1
