"""Words: the same in every language, each of them used, and none asked for that is not there."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from string import Formatter
from typing import get_args

import pytest
from jinja2 import nodes

from service.access.catalogue import BUILT_IN, OPENID, Catalogue
from service.web.pages.consent import scope_lines
from service.web.pages.language import Locale, get_locale
from service.web.pages.page import _templates
from service.web.pages.problem import Problem
from service.web.pages.sign_in import SignInError
from tests.pages.gallery import FRIENDLY, LANGUAGES, PAGES
from tests.servers.gatepost import ROOT

MISTAKES = re.compile(r'rule="([a-z_]+)"')
OTHER_LANGUAGES = [tag for tag in LANGUAGES if tag != "en"]


class Noting(Mapping[str, str]):
    """A catalogue that notes which of its strings were read."""

    def __init__(self, strings: Mapping[str, str]) -> None:
        self.strings = strings
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.read.add(key)
        return self.strings[key]

    def __contains__(self, key: object) -> bool:
        return key in self.strings

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings)

    def __len__(self) -> int:
        return len(self.strings)


def noting(tag: str) -> tuple[Locale, Noting]:
    strings = Noting(get_locale(tag).strings)
    return replace(get_locale(tag), strings=strings), strings


def asked_in_templates() -> set[str]:
    """Every key that stands in a template as a whole, in branches too that nobody draws."""
    found: set[str] = set()
    for name in _templates.list_templates(["html"]):
        tree = _templates.parse(_templates.loader.get_source(_templates, name)[0])
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("t", "plain"):
                found |= {const.value for const in _leaves(call.args[0]) if isinstance(const.value, str)}
    return found


def _leaves(node: nodes.Node) -> Iterator[nodes.Const]:
    """The constants that this expression can be; what it is put together of is not one of them."""
    if isinstance(node, nodes.Const):
        yield node
    elif isinstance(node, nodes.CondExpr):
        yield from _leaves(node.expr1)
        if node.expr2 is not None:
            yield from _leaves(node.expr2)


def asked_in_code() -> set[str]:
    """Every key that code asks a language for as a whole."""
    found: set[str] = set()
    for path in (ROOT / "service" / "web").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
                (key,) = call.args[:1]
                if call.func.attr in ("text", "plain") and isinstance(key, ast.Constant):
                    found.add(key.value)
    return found


def mistakes() -> set[str]:
    """What can be wrong with a user name or password, as the pages say it."""
    rules = MISTAKES.findall((ROOT / "service" / "accounts" / "passwords.py").read_text())
    return {f"mistake.{rule}" for rule in {*rules, "username", "email", "taken", "different"}}


def sign_in_errors() -> set[str]:
    """What can be wrong with a sign-in."""
    return {f"sign_in.error.{error}" for error in get_args(SignInError)}


def used() -> set[str]:
    """Every key that any page shows."""
    locale, strings = noting("en")
    for draw in PAGES.values():
        draw(locale, FRIENDLY)
    scope_lines([*BUILT_IN, *OPENID], Catalogue().descriptions, locale=locale)
    return strings.read | asked_in_templates() | asked_in_code() | mistakes() | sign_in_errors()


def fields_of(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_every_string_that_is_asked_for_exists() -> None:
    assert len(asked_in_templates()) > 50
    assert used() - get_locale("en").strings.keys() == set()


def test_every_string_is_used() -> None:
    assert get_locale("en").strings.keys() - used() == set()


@pytest.mark.parametrize("tag", OTHER_LANGUAGES)
def test_every_language_has_the_same_strings_with_the_same_values_in_them(tag: str) -> None:
    ours, english = get_locale(tag).strings, get_locale("en").strings
    assert ours.keys() ^ english.keys() == set()
    assert [key for key in english if fields_of(ours[key]) != fields_of(english[key])] == []
    assert [key for key in english if not ours[key].strip()] == []


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_string_stands_twice(tag: str) -> None:
    source = (ROOT / "service" / "web" / "pages" / "catalogue" / f"{tag}.json").read_text()
    keys = [key for key, _ in json.loads(source, object_pairs_hook=list)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("tag", OTHER_LANGUAGES)
def test_another_language_is_not_left_in_english(tag: str) -> None:
    ours, english = get_locale(tag).strings, get_locale("en").strings
    assert [key for key in english if ours[key] == english[key]] == []


def test_a_string_that_is_missing_is_an_error_and_no_empty_page() -> None:
    locale = replace(get_locale("en"), strings={})
    with pytest.raises(KeyError, match="sign_in"):
        PAGES["sign-in"](locale, FRIENDLY)


def test_every_problem_is_drawn() -> None:
    assert {f"problem-{problem}" for problem in Problem} <= PAGES.keys()


def test_every_template_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str] = set()
    load = _templates.get_template

    def noted(name: str, *more: object) -> object:
        drawn.add(name)
        return load(name, *more)

    monkeypatch.setattr(_templates, "get_template", noted)
    for draw in PAGES.values():
        draw(get_locale("en"), FRIENDLY)
    assert drawn | {"parts.html", "scene.html", "docs.html", "docs_redirect.html"} == {
        *_templates.list_templates(["html"])
    }


@pytest.mark.parametrize("scope", sorted({*BUILT_IN, *OPENID}))
def test_our_own_scopes_are_told_in_the_language_of_the_page(scope: str) -> None:
    described = Catalogue().descriptions
    (arabic,) = scope_lines([scope], described, locale=get_locale("ar"))
    (english,) = scope_lines([scope], described, locale=get_locale("en"))
    assert re.search("[\u0600-\u06ff]", arabic.words)
    assert english.words == described[scope]


def test_the_words_of_an_operator_come_before_ours() -> None:
    described = Catalogue(scopes={"email": "Write to you"}).descriptions
    (line,) = scope_lines(["email"], described, locale=get_locale("ar"))
    assert line.words == "Write to you"
