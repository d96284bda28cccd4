"""Devices in words."""

import pytest

from service.sessions.device import describe_device

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (f"{MAC} Chrome/139.0.0.0 Safari/537.36", "Chrome on macOS"),
        (f"{MAC} Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0", "Edge on macOS"),
        (f"{MAC} Chrome/139.0.0.0 Safari/537.36 OPR/123.0.0.0", "Opera on macOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15", "Safari on macOS"),
        (f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{IPHONE} CriOS/139.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/139.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (Linux; Android 14) SamsungBrowser/28.0 Chrome/130.0 Safari/537.36",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/139.0.0.0 Safari/537.36", "Chrome on ChromeOS"),
        ("Mozilla/5.0 (X11; Linux x86_64) Surprise/1.0", "Linux"),
        ("curl/8.5.0", "curl"),
        ("python-httpx2/2.16", "python-httpx2"),
        ("HarbourNotes/3 (iPad; iOS 18)", "HarbourNotes on iPad"),
        ("", "Unknown device"),
        ("Mozilla/5.0", "Unknown device"),
    ],
)
def test_a_device_is_called_what_its_owner_calls_it(user_agent: str, words: str) -> None:
    assert str(describe_device(user_agent)) == words


@pytest.mark.spec("XSS-01")
@pytest.mark.parametrize(
    "user_agent",
    ["<script>alert(1)</script>", "<b>/1.0 x", "a" * 256, "\x00\u202e\ud800", "Mozilla/5.0 <img src=x>", "é/1", "-"],
)
def test_nothing_of_a_strange_field_gets_into_the_words(user_agent: str) -> None:
    assert str(describe_device(user_agent)) == "Unknown device"
