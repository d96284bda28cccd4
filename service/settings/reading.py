"""From the environment to settings, or to every mistake at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from service.settings.checks import PREFIX, mistakes_in
from service.settings.model import Group, Settings
from service.settings.values import format_value

_FILE = "_FILE"


class SettingsRefused(Exception):
    """The configuration cannot be used; `mistakes` names every reason, one line each, and no secret."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting as an operator sees it."""

    name: str
    path: tuple[str, ...]
    default: str
    description: str
    secret: bool


def knobs(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[Knob]:
    """Every setting there is, in order."""
    for name, found in model.model_fields.items():
        if isinstance(found.annotation, type) and issubclass(found.annotation, Group):
            yield from knobs(found.annotation, (*path, name))
        else:
            yield Knob(
                name=PREFIX + "__".join((*path, name)).upper(),
                path=(*path, name),
                default=format_value(found.default),
                description=found.description or "",
                secret=found.annotation is SecretStr,
            )


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of this environment. Raises `SettingsRefused` with every mistake that can be seen from here."""
    settings, mistakes = read_settings(environ)
    if mistakes:
        raise SettingsRefused(mistakes)
    return settings


def read_settings(environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings with defaults in place of what is refused, and every mistake that can be seen from here."""
    mistakes: list[str] = []
    settings = _validated(_given(environ, mistakes), mistakes)
    mistakes += mistakes_in(settings)
    return settings, mistakes


def _given(environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Any]:
    """What the environment says, as nested text; files are read."""
    known = {knob.name: knob for knob in knobs()}
    values: dict[str, Any] = {}
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        knob = known.get(name) or known.get(name.removesuffix(_FILE))
        if knob is None or (knob.name != name and not knob.secret):
            mistakes.append(f"{name}: there is no such setting")
            continue
        if knob.name != name:
            if environ.get(knob.name):
                mistakes.append(f"{name}: {knob.name} is set too")
                continue
            try:
                value = Path(value).read_text().strip()
            except (OSError, ValueError) as problem:
                mistakes.append(f"{name}: the file cannot be read ({type(problem).__name__})")
                continue
        _put(values, knob.path, value)
    return values


def _validated(values: dict[str, Any], mistakes: list[str]) -> Settings:
    """The settings; a value that is refused is reported and left at its default, so that the rest is looked at too."""
    try:
        return Settings.model_validate(values)
    except ValidationError as problem:
        found: dict[tuple[tuple[str, ...], str], str] = {}
        for error in problem.errors(include_input=False, include_url=False):
            path = tuple(str(part) for part in error["loc"][:2] if isinstance(part, str))
            found.setdefault((path, _inside(error["loc"][2:])), error["msg"].removeprefix("Value error, "))
        for (path, inside), message in found.items():
            mistakes.append(f"{PREFIX}{'__'.join(path).upper()}: {inside}{message}")
            _drop(values, path)
        return _validated(values, mistakes)


def _inside(rest: tuple[int | str, ...]) -> str:
    """Where in a map the mistake is."""
    names = takewhile(lambda part: isinstance(part, str) and "[" not in part, rest)
    inside = ".".join(str(name) for name in names)
    return f"{inside}: " if inside else ""


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    *groups, name = path
    for group in groups:
        values = values[group]
    values.pop(name, None)


def _put(values: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value
