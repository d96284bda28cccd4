"""The page of conformance says what the tests say."""

from tests.project.conformance import PAGE, marked_tests, rendered


def test_the_page_is_what_the_marks_say() -> None:
    assert PAGE.read_text() == rendered(), "write it anew: python -m tests.project.conformance"


def test_marks_are_found() -> None:
    assert ("RFC 9700 §4.14.2", "tests/fleet/test_refresh_races.py") in {
        (clause, file) for clause, file, _ in marked_tests()
    }
