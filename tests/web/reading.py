"""What a browser would make of a page: its references, its fields, and anything inline that the policy forbids."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_LOADS = {"src", "href", "action", "formaction", "poster", "data", "srcset"}
_SILENT = {"script", "style", "title"}


@dataclass
class Page:
    """`references` are every address that the page names; `inline` is what a strict policy would block."""

    references: list[str] = field(default_factory=list)
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    labelled: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    inline: list[str] = field(default_factory=list)
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.page.references += [given[name] for name in _LOADS & given.keys()]
        self.page.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style":
            self.page.inline.append(tag)
        if "id" in given:
            self.page.ids.add(given["id"])
        if tag == "label":
            self.page.labelled.add(given["for"])
        if tag == "input" and "name" in given:
            self.page.inputs[given["name"]] = given

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.page.inline.append(data)
        if self._inside not in _SILENT:
            self.page.text += data


def read_page(html: str) -> Page:
    """The page in this text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page
