"""The OpenAPI document: FastAPI's, with what our guards ask for on each padlock, and our problem documents.

What a route declares is believed: its guard, its parameters, its body. A refusal that cannot be seen from those is
declared by the route as `responses={409: {}}`; the fixed texts are in `openapi_parts.py`.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from service.web.oauth import openapi_parts as oauth
from service.web.openapi_parts import (
    ABOUT,
    PROBLEM,
    REFUSALS,
    TAGS,
    Part,
    credential_kinds,
    reference,
    shared_responses,
    verify_operation,
)
from service.web.security import ANY, Door, Route
from service.web.verify import PATH as VERIFY_PATH

_CARRIED_AS = {"oauth2": "bearer", "api_key_in_query": "api_key"}


def install(app: FastAPI, *, public_url: str, scopes: Mapping[str, str], cookie: str, api_key_in_query: bool) -> None:
    """Have `app.openapi()` give this document, built once. `scopes` are those with a description, `cookie` is the name
    of the access cookie."""

    @cache
    def document() -> Part:
        kinds = credential_kinds(public_url=public_url, scopes=scopes, cookie=cookie, api_key_in_query=api_key_in_query)
        return _build(app, kinds)

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to replace it


def _build(app: FastAPI, kinds: Part) -> Part:
    document = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes, tags=TAGS)
    for route, operation in _operations(app, document):
        _complete(operation, route, kinds)
    document["paths"][VERIFY_PATH] = {"get": verify_operation(_padlock(Door(frozenset(), ANY), kinds))}
    document["paths"] |= oauth.operations()
    components = document["components"]
    components["securitySchemes"] = kinds
    components["responses"] = shared_responses() | oauth.shared_responses()
    for fastapis_own in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(fastapis_own, None)
    components["schemas"] |= {"Problem": PROBLEM, oauth.ERROR_NAME: oauth.ERROR}
    return document


def _operations(app: FastAPI, document: Part) -> Iterator[tuple[Route, Part]]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Route):
            for method in context.methods or ():
                operation = document["paths"].get(context.path_format, {}).get(method.lower())
                if operation is not None:
                    yield context.original_route, operation


def _complete(operation: Part, route: Route, kinds: Part) -> None:
    """Name, padlock and refusals of one operation."""
    operation["operationId"] = route.name
    door = route.door
    if door is None:
        operation.setdefault("security", [])
    else:
        operation["security"] = _padlock(door, kinds)
        if door.needed:
            scopes = ", ".join(f"`{scope}`" for scope in sorted(door.needed))
            operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope {scopes}."
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's, in its own dialect, and for paths that take any text
    for status in _refusals(operation, guarded=door is not None):
        if "content" not in responses.get(str(status), {}):
            responses[str(status)] = reference(status)
    operation["responses"] = dict(sorted(responses.items()))


def _padlock(door: Door, kinds: Part) -> list[Part]:
    """The alternatives, each with the scopes that are needed."""
    needed = sorted(door.needed)
    return [{kind: needed} for kind in kinds if _CARRIED_AS.get(kind, kind) in door.schemes]


def _refusals(operation: Part, *, guarded: bool) -> set[int]:
    """The refusals that an operation can answer with."""
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    found = {int(status) for status in operation["responses"]} & REFUSALS.keys()
    if guarded:
        found |= {400, 401, 403, 429, 503}
    if "requestBody" in operation:
        found |= {400, 413, 415, 422, 503}
    if {"Sign-in"} & set(operation.get("tags", ())):
        found.add(429)
    if "query" in places:
        found.add(422)
    if "path" in places:
        found.add(404)
    return found
