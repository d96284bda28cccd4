"""docs/telemetry.md says what the code does: every metric, log line and span attribute has its row, and no row is
without one."""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import service.app
from service.tally import Spread, Tally
from service.telemetry import GAUGES, Metrics
from service.telemetry.metrics import BACKLOG, Level
from tests.telemetry.log_lines import log_lines

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]


def words(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_every_log_line_has_its_row() -> None:
    told = [(*words(event), level, words(fields)) for event, level, fields, _ in rows("Logs")]
    written = [(line.event, line.level, line.fields) for line in log_lines()]
    assert sorted(told) == sorted(written)
    assert len(written) > 40


@pytest.mark.anyio
async def test_every_metric_has_its_row_with_the_words_of_the_code() -> None:
    async def backlog() -> list[Level]:
        return [Level("audit_unsealed_rows", 0), Level("outbox_rows", 0, ("letters",))]

    metrics = Metrics(None, tuple, backlog)
    await metrics.start()
    families = list(text_string_to_metric_families((await metrics.text()).decode()))
    await metrics.stop()
    told = {words(name)[0].removesuffix("_total"): (kind, meaning) for name, kind, _, meaning in rows("Metrics")}
    assert told == {family.name: (family.type, family.documentation) for family in families}


def test_every_metric_has_the_labels_of_its_row() -> None:
    told = {words(name)[0].removesuffix("_total"): words(labels) for name, _, labels, _ in rows("Metrics")}
    counted = {f"gatepost_{one.name}": one.labels for one in (*Tally.known, *Spread.known, *GAUGES, *BACKLOG)}
    assert told == {**counted, "gatepost_process_cpu_seconds": ()}


def test_metrics_have_names_after_the_conventions() -> None:
    for name, kind, labels, _ in rows("Metrics"):
        [name] = words(name)
        assert re.fullmatch(r"gatepost_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (kind == "counter")
        assert not {"user", "address", "path", "client_id", "name", "le"} & set(words(labels))


def test_each_is_counted_under_one_name() -> None:
    names = [one.name for one in (*Tally.known, *Spread.known)]
    assert len(names) == len(set(names))


def test_every_attribute_of_a_span_has_its_row() -> None:
    source = (Path(service.app.__file__).parents[1] / "telemetry" / "traces.py").read_text()
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    named = {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z]+(\.[a-z_]+)+", text)}
    told = [words(attribute)[0] for attribute, _, _ in rows("Traces")]
    assert sorted(told) == sorted(named - {"gatepost.span"})
