"""Logs: one line each, for people or machines, ours and those of libraries; without credentials."""

import json
import subprocess
import sys

import pytest

SECRETS = [
    "gp_rt_0123456789abcdef",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Bearer 0123456789abcdef",
    "Basic YWRhOmh1bnRlcjIy",
    "postgresql://gatepost:hunter22@db/gatepost",
    "GET https://id.example/callback?x=1&code=kZ8v2mQ0&state=pT3nL7wq HTTP/1.1",
    "https://graph.example/me?access_token=EAAB1x2y&appsecret_proof=9f8e7d6c",
]
HIDDEN = [
    "0123456789abcdef",
    "eyJzdWIiOiIxIn0",
    "YWRhOmh1bnRlcjIy",
    "hunter22",
    "kZ8v2mQ0",
    "pT3nL7wq",
    "EAAB1x2y",
    "9f8e7d6c",
]
PROGRAM = f"""
import logging, sys, warnings
warnings.simplefilter("error")
import structlog
from service.logs import configure_logs, request_id
configure_logs(level=sys.argv[2], form=sys.argv[1])
request_id.set("r1")
ours, theirs = structlog.get_logger("gatepost.test"), logging.getLogger("library")
for secret in {SECRETS!r}:
    ours.info(secret, told=secret, listed=[secret])
    theirs.info("it was %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        ours.exception("ours")
        theirs.exception("theirs")
ours.debug("quiet")
theirs.debug("quiet")
for chatty in ("uvicorn.error", "httpx2", "httpcore2.http11"):
    logging.getLogger(chatty).info("chatter")
"""


def log(form: str, level: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, form, level],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == ""
    return ran.stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_credential_reaches_a_line(form: str) -> None:
    written = log(form, "info")
    assert written.count("[hidden]") >= 5 * len(SECRETS)
    assert [part for part in HIDDEN if part in written] == []
    assert "quiet" not in written
    assert "chatter" not in written


def test_every_line_for_machines_is_json_whoever_wrote_it() -> None:
    lines = [json.loads(line) for line in log("json", "info").splitlines()]
    assert len(lines) == 4 * len(SECRETS)
    assert {line["level"] for line in lines} == {"info", "error"}
    assert {line["request_id"] for line in lines if "logger" not in line} == {"r1"}
    assert {line["logger"] for line in lines if "logger" in line} == {"library"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert sum("ValueError: " in line.get("exception", "") for line in lines) == 2 * len(SECRETS)


def test_libraries_are_not_heard_below_info() -> None:
    lines = [json.loads(line) for line in log("json", "debug").splitlines()]
    assert [line.get("logger") for line in lines if line["event"] == "quiet"] == [None]
