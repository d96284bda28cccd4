"""Every page in every language, as Chromium shows it at 320 and 1,280 pixels, light and dark."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pages.served import NAMES, gallery, look


@pytest.fixture(scope="module")
def seen(
    node: Callable[..., Any], chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Any]]]:
    """All pages, looked at in one go: a browser takes longer to start than to look."""
    with gallery(tmp_path_factory.mktemp("gallery")) as url:
        yield look(node, chromium, url)


@pytest.mark.timeout(300)  # the first looks at all of them
@pytest.mark.parametrize("name", NAMES)
def test_everybody_can_use_a_page_and_a_browser_has_no_complaint(seen: dict[str, list[Any]], name: str) -> None:
    views = seen[name]
    assert {(view["width"], view["scheme"]) for view in views} == {
        (width, scheme) for width in (320, 1280) for scheme in ("light", "dark")
    }
    assert [view["complaints"] for view in views] == [[]] * 4  # CSP, scripts, another host
    assert [view["sideways"] for view in views] == [False] * 4
    audited = [view for view in views if "rules" in view]
    assert [(view["width"], view["scheme"]) for view in audited] == [(320, "light"), (1280, "dark")]
    assert [view["violations"] for view in audited] == [[]] * 2
    assert [view["unsure"] for view in audited] == [[]] * 2
    assert [view["rules"] > least for view, least in zip(audited, (10, 0), strict=True)] == [True, True]
