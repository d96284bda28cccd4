"""What can go wrong with another service, by what the person can do about it."""

from datetime import timedelta

from service.federation.provider import Identity
from service.protocol.errors import Conflict, Delayed, Forbidden, InvalidRequest, Refusal


class ProviderFailed(Refusal):
    """A provider's answer cannot be used: an error, a redirect, too long, or not what it should be."""

    code, public = "provider_failed", "The other service gave an answer that cannot be used."


class ProviderSilent(Delayed):
    """A provider gave no whole answer in time."""

    code, public = "provider_silent", "The other service does not answer right now. Try again shortly."

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(retry_after=timedelta(seconds=10), detail=detail)


class ForeignAnswer(InvalidRequest):
    """An answer that is not of the sign-in that was begun here: another browser's, another provider's, a used or an
    outlived one. One sentence for all of them."""

    code, public = "foreign_answer", "This sign-in was not begun here, has been used, or has taken too long."


class CodeRefused(ProviderFailed):
    """The provider does not take what it gave out itself: a code or refresh token was used before or is too old."""

    public = "The other service does not confirm this sign-in. Begin anew."


class NotSignedInAnew(Forbidden):
    """A sign-in that happens now was asked for, and the provider tells of an older one."""

    code, public = "not_signed_in_anew", "The other service did not ask you to sign in again."


class NoAccount(Forbidden):
    """Nobody here has this identity, and no account is made for it. The same for a disabled account."""

    code, public = "no_account", "There is no account here for this sign-in."

    def __init__(self, *, user_id: str = "", detail: str = "") -> None:
        super().__init__(detail=detail)
        self.user_id = user_id
        """Whose account it would be, for the audit alone."""


class SignInFirst(Conflict):
    """An account here has the address that the provider has proven: `identity` is linked by who signs in to it."""

    code, public = "sign_in_first", "An account has this address already. Sign in to it, then link the other service."

    def __init__(self, identity: Identity) -> None:
        super().__init__()
        self.identity = identity


class LinkedElsewhere(Conflict):
    """The identity belongs to another account."""

    code, public = "linked_elsewhere", "This sign-in is linked to another account."


class LastWayIn(Conflict):
    """Without this identity nobody could sign in to the account any more."""

    code, public = (
        "last_way_in",
        "This is the last way to sign in to this account: set a password first.",
    )
