"""Genuine texts with one character changed: never by chance the genuine one again."""


def altered(text: str) -> str:
    """The same but for one character, ten before the end."""
    return f"{text[:-10]}{'B' if text[-10] == 'A' else 'A'}{text[-9:]}"
