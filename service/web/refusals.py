"""Refusals that only HTTP knows."""

from service.protocol.errors import Refusal


class CursorAhead(Refusal):
    """A cursor names what the ledger has not reached: the ledger was put back to an older state since."""

    code, public = "cursor_ahead", "The feed is behind this cursor. Follow it anew, without a cursor."


class UnsupportedBody(Refusal):
    """The body's media type or coding is not one that this route takes (RFC 9110 §15.5.16)."""

    code, public = "unsupported_media_type", "Send the body as application/json, without a content coding."


class BodyTooLarge(Refusal):
    """The body is longer than the configured bound (RFC 9110 §15.5.14)."""

    code, public = "body_too_large", "The body is too large."


class MethodNotAllowed(Refusal):
    """This address answers other methods only (RFC 9110 §15.5.6); `allow` names them."""

    code, public = "method_not_allowed", "This address does not take this method."

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow
