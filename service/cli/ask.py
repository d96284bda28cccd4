"""Secrets from people: by prompt or standard input, never by argument, which every user of the machine can read."""

import sys
from typing import Annotated

import typer

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]


def new_password(*, from_stdin: bool) -> str:
    """A new password, typed twice or read to the end of standard input, without the line break at its end."""
    if from_stdin:
        return _stdin_line("password")
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is nobody to ask here: use --password-stdin", param_hint="password")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


def secret(name: str, *, from_stdin: bool, option: str) -> str:
    """A secret that somebody else has made, typed once or read to the end of standard input."""
    if from_stdin:
        return _stdin_line(name.lower())
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"there is nobody to ask here: use {option}", param_hint=name.lower())
    answer: str = typer.prompt(name, hide_input=True, err=True)
    return answer


def _stdin_line(name: str) -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise typer.BadParameter("this is not UTF-8", param_hint=name) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or "\n" in text:
        raise typer.BadParameter("write one line to standard input", param_hint=name)
    return text
