"""Every knob, grouped and frozen. Rooms get values, never these objects.

Read from `GATEPOST_*`, groups joined by `__` (`GATEPOST_TOKENS__ACCESS_LIFE=15m`). Each secret has a `_FILE` twin that
names a file. All mistakes are reported at once; unknown names are refused. Spans are written `250ms`, `10s`, `15m`,
`1h`, `30d`; lists and maps as JSON, lists of words also with commas. Refuses to know what is done with a value, and to
open a connection. Read `model.py` first, then `checks.py`.
"""

from service.settings.checks import PREFIX
from service.settings.model import LONGEST_ACCESS_LIFE, Settings
from service.settings.reading import Knob, SettingsRefused, knobs, load_settings, read_settings
from service.settings.values import format_span, format_value, parse_span

__all__ = [
    "LONGEST_ACCESS_LIFE",
    "PREFIX",
    "Knob",
    "Settings",
    "SettingsRefused",
    "format_span",
    "format_value",
    "knobs",
    "load_settings",
    "parse_span",
    "read_settings",
]
