"""The pages about API keys: the list, the form for a new one, and its text for the only time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from service.api_keys.key import ApiKey
from service.api_keys.keyring import NewApiKey
from service.web.pages.account.frame import Frame, account_page
from service.web.pages.consent import ScopeLine, scope_lines
from service.web.pages.moment import Moment


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key in words, without its secret. `used` is None for one that nobody has used, `rate`
    empty for one without a figure of its own."""

    id: str
    name: str
    hint: str
    scopes: Sequence[str]
    networks: Sequence[str]
    made: Moment
    ends: Moment
    used: Moment | None
    is_over: bool
    rate: str


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """One scope that a key can have."""

    id: str
    field: str
    line: ScopeLine
    chosen: bool


def api_keys_page(frame: Frame, keys: Iterable[ApiKey], *, now: datetime) -> Response:
    """Every key. A form of each posts its id as `key`."""
    return account_page("api_keys", frame, keys=[_line(frame, key, now) for key in keys])


def new_key_page(
    frame: Frame,
    key_id: str,
    *,
    action: str,
    scopes: Iterable[str],
    descriptions: Mapping[str, str],
    days: Sequence[int],
    chosen: int,
) -> Response:
    """Ask what a key is for. The form posts `key` (as given), `name`, `days` and a field `scope.…` for each scope that
    it shall have."""
    lines = scope_lines(scopes, descriptions, locale=frame.locale)
    choices = [
        ScopeChoice(f"scope-{number}", f"scope.{line.name}", line, bool(frame.typed.get(f"scope.{line.name}")))
        for number, line in enumerate(lines)
    ]
    typed = frame.typed.get("days", "")
    return account_page(
        "new_key",
        frame,
        name="new-key",
        key_id=key_id,
        action=action,
        scopes=choices,
        days=days,
        chosen=typed or str(chosen),
    )


def key_made_page(frame: Frame, made: NewApiKey, *, now: datetime) -> Response:
    """The text of a key, for the only time."""
    return account_page("key_made", frame, name="key-made", key=_line(frame, made.key, now), text=made.text)


def _line(frame: Frame, key: ApiKey, now: datetime) -> KeyLine:
    return KeyLine(
        id=key.id,
        name=key.name,
        hint=key.hint,
        scopes=sorted(key.scopes),
        networks=key.networks,
        made=Moment.of(key.created_at, now, frame.locale),
        ends=Moment.of(key.expires_at, now, frame.locale),
        used=None if key.last_used_at is None else Moment.of(key.last_used_at, now, frame.locale),
        is_over=key.expires_at <= now,
        rate="" if key.rate is None else str(key.rate),
    )
