"""Tables for a spreadsheet: one reading, and nothing in a cell that would be run."""

import csv
import io

import pytest

from service import spreadsheet


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert spreadsheet.cell(text) == f"'{text}"
    assert spreadsheet.cell(f"a{text}") == f"a{text}"


def test_a_line_is_read_as_it_was_meant() -> None:
    told = spreadsheet.line([None, "", 3, 'a "b", c\nd', {"ü": [1]}])
    assert told.endswith("\r\n")
    assert list(csv.reader(io.StringIO(told, newline=""))) == [["", "", "3", 'a "b", c\nd', '{"ü": [1]}']]
