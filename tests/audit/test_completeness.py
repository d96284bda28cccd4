"""No act without a row, no event without a word about it, and the page says what the code does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from service.audit.event import EVENTS, Kind

ROOT = Path(__file__).parents[2]
NO_ACTS = {"await self._identities.keep_tokens(act.tx, linked.id, kept)"}
"""A token of elsewhere that is kept was renewed: nobody did anything."""
PAGE = ROOT / "docs" / "audit.md"


def acts() -> Iterator[tuple[str, ast.AsyncWith]]:
    """Every block in the service that opens an act."""
    for file in sorted((ROOT / "service").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.AsyncWith) and "acts.begin(" in ast.unparse(node.items[0]):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_every_act_is_noted() -> None:
    """Whoever adds one tells the audit what it does: `await act.note(Event(…))`."""
    found = dict(acts())
    assert len(found) > 25
    told = re.compile(r"await (act\.note|erase_person)\(")
    silent = {where: ast.unparse(block.body) for where, block in found.items() if not told.search(ast.unparse(block))}
    assert [where for where, what in silent.items() if what not in NO_ACTS] == []


def test_every_event_has_a_sentence_and_is_told_somewhere() -> None:
    assert list(EVENTS) == list(Kind)
    source = "".join(file.read_text() for file in (ROOT / "service").rglob("*.py") if file.name != "event.py")
    assert [kind.name for kind in Kind if f"Kind.{kind.name}" not in source] == []


def test_the_page_has_every_event_as_the_code_has_it() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == {kind.value: sentence for kind, sentence in EVENTS.items()}
    assert len(rows) == len(EVENTS)
