"""Which clause is held by which test, from the `spec` marks, and the ids of cases that begin with one of misuse:
`python -m tests.project.conformance` writes the page."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
_CLAUSE = re.compile(
    r"(?P<document>(?:RFC|BCP) \d+|OAuth 2\.1|OIDC [A-Za-z -]+?|NIST SP [\w-]+) (?P<section>§\S+)", re.ASCII
)

_CASE = re.compile(r"[A-Z]{2,6}\d?-\d{2}\b")

TITLES = {
    "RFC 6749": "OAuth 2.0",
    "RFC 6750": "Bearer tokens",
    "RFC 7009": "Token revocation",
    "RFC 7515": "JSON Web Signature",
    "RFC 7517": "JSON Web Key",
    "RFC 7518": "JSON Web Algorithms",
    "RFC 7519": "JSON Web Token",
    "RFC 7520": "JOSE examples",
    "RFC 7591": "Client metadata",
    "RFC 7617": "HTTP Basic",
    "RFC 7636": "PKCE",
    "RFC 7638": "JWK thumbprint",
    "RFC 7662": "Token introspection",
    "RFC 8252": "Native applications",
    "RFC 8259": "JSON",
    "RFC 8414": "Authorization server metadata",
    "RFC 8628": "Device authorization",
    "RFC 8707": "Resource indicators",
    "RFC 8725": "JWT best practice",
    "RFC 9068": "JWT access tokens",
    "RFC 9110": "HTTP semantics",
    "RFC 9111": "HTTP caching",
    "RFC 9207": "Issuer identification",
    "RFC 9457": "Problem details",
    "RFC 9700": "OAuth security best practice",
    "RFC 9728": "Protected resource metadata",
    "RFC 10017": "OAuth for browser applications",
    "NIST SP 800-63B-4": "Digital identity guidelines",
    "OAuth 2.1": "draft 16",
    "OIDC Core": "OpenID Connect Core 1.0",
    "OIDC Discovery": "OpenID Connect Discovery 1.0",
    "OIDC RP-Initiated Logout": "OpenID Connect RP-Initiated Logout 1.0",
    "OIDC Back-Channel Logout": "OpenID Connect Back-Channel Logout 1.0",
    "OIDC Form Post": "OAuth 2.0 Form Post Response Mode",
}
MUSTS = {
    "RFC 6749 §2.3.1": "client secrets by Basic are form-decoded; one method per request",
    "RFC 6749 §3.1": "a repeated parameter is an error, an empty one is absent",
    "RFC 6749 §4.1.2": "a code is spent once, is bound, and its replay ends what it gave",
    "RFC 6749 §4.4.3": "client credentials give no refresh token",
    "RFC 6749 §5.1": "token answers are never stored",
    "RFC 6749 §5.2": "the error dialect of the token endpoint",
    "RFC 6750 §3": "no `error` when no credential was sent",
    "RFC 6750 §3.1": "401 `invalid_token`, 403 `insufficient_scope` with its scopes",
    "RFC 7009 §2.1": "revoking a refresh token ends its access tokens; a foreign client's token is untouched",
    "RFC 7009 §2.2": "200 for an unknown token",
    "RFC 7636 §4.6": "the verifier decides, and only S256",
    "RFC 7662 §2.1": "the caller is authenticated",
    "RFC 7662 §2.2": "expired, unknown and foreign answer alike",
    "RFC 8252 §7.3": "any port for a loopback redirect",
    "RFC 8414 §3": "the well-known address of an issuer without a path; one with a path is refused at start",
    "RFC 8628 §3.5": "`slow_down` adds five seconds",
    "RFC 8707 §2": "a resource may only narrow",
    "RFC 9068 §4": "`typ` is checked; an ID token is never an access token",
    "RFC 9207 §2": "`iss` on success and on error",
    "RFC 9700 §4.14.2": "reuse of a refresh token ends its family and no other",
    "OIDC Core §2": "`nonce` is echoed, `auth_time` with `max_age`",
    "OIDC Core §3.1.2.1": "`prompt=none` never shows a page",
    "OIDC Core §5.3.2": "the `sub` of UserInfo is that of the ID token",
    "OIDC RP-Initiated Logout §3": "only a registered address is returned to",
    "OIDC Back-Channel Logout §2.4": "a logout token is told apart from every other",
}


def marked_tests() -> Iterator[tuple[str, str, str]]:
    """Clause or misuse id, file and name of each test that is marked."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for clause in _clauses(node.decorator_list):
                    yield clause, str(file.relative_to(ROOT)), node.name
            elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
                for case in filter(None, map(_case, node.value.keys)):
                    yield case, str(file.relative_to(ROOT)), ast.unparse(node.target)


def _clauses(decorators: Sequence[ast.expr]) -> Iterator[str]:
    for call in decorators:
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.spec":
            for given in call.args:
                yield from (clause.strip() for clause in ast.literal_eval(given).split(", "))
        for node in ast.walk(call):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.param":
                yield from filter(None, (_case(one.value) for one in node.keywords if one.arg == "id"))


def _case(name: ast.expr | None) -> str | None:
    """The case of misuse that a constant text begins with."""
    found = _CASE.match(name.value) if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return found[0] if found else None


def rendered() -> str:
    """The page as it must be now."""
    held: dict[str, list[str]] = defaultdict(list)
    for clause, file, name in marked_tests():
        held[clause].append(f"[{name}](../{file})")
    sections: dict[str, set[str]] = defaultdict(set)
    for clause in {*held, *MUSTS}:
        found = _CLAUSE.fullmatch(clause)
        sections[found["document"] if found else ""].add(clause)
    lines = [
        "# Conformance",
        "",
        "Made from the `spec` marks of the tests by `python -m tests.project.conformance`. "
        "A test fails when it is out of date.",
        "*held*: the tests named run in every build. *open*: no test holds it yet, so nothing is claimed.",
    ]
    for document in sorted(sections, key=_order):
        if document:
            lines += [
                "",
                f"## {document}: {TITLES.get(document, '')}",
                "",
                "| section | what | tests | state |",
                "| --- | --- | --- | --- |",
            ]
        else:
            lines += ["", "## Misuse", "", "| case | | tests | state |", "| --- | --- | --- | --- |"]
        for clause in sorted(sections[document], key=_order):
            tests = "<br>".join(dict.fromkeys(held.get(clause, ())))
            short = clause.removeprefix(f"{document} ")
            lines.append(f"| {short} | {MUSTS.get(clause, '')} | {tests} | {'held' if tests else '**open**'} |")
    return "\n".join(lines) + "\n"


def _order(text: str) -> list[tuple[int, int | str]]:
    if not text:
        return [(2, 0)]
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"\d+|\D+", text)]


if __name__ == "__main__":
    PAGE.write_text(rendered())
