"""Who somebody is here who has proven an identity elsewhere. Nothing here waits for anything.

| the identity is linked to | asked was | and the proven address is | then |
|---|---|---|---|
| an account that may sign in | a sign-in | any | sign in to it |
| an account that may not | a sign-in | any | no |
| the asking account | a link | any | it is there already |
| another account | a link | any | no |
| nobody | a link | any | link it to the asking account |
| nobody | a sign-in | proven by an account here, or that of an administrator | ask to sign in to that account first |
| nobody | a sign-in | an account's that has never proven it | the owner takes the account over |
| nobody | a sign-in | nobody's, or there is none | a new account, where everybody may register; else no |

An address that the provider does not call verified is no address here: it links nothing, and no account gets it. An
account that somebody made with an address of another waits for its owner: whoever proves the address has the account,
and nothing of before opens it (`Outcome.TAKE_OVER`).
"""

from enum import Enum, auto

from service.accounts.account import User
from service.federation.provider import Identity, ProviderConfig


class Outcome(Enum):
    """What is to be done."""

    SIGN_IN = auto()
    LINK = auto()
    NOTHING = auto()
    LINKED_ELSEWHERE = auto()
    SIGN_IN_FIRST = auto()
    TAKE_OVER = auto()
    REGISTER = auto()
    NO_ACCOUNT = auto()


def proven_address(identity: Identity, config: ProviderConfig) -> str | None:
    """The address, if the provider calls it verified and is believed."""
    return identity.email if identity.email_verified and config.trusts_email else None


def decide(
    *, owner: User | None, holder: User | None, holder_commands: bool, links_to: str | None, is_open: bool
) -> Outcome:
    """`owner` has the identity, `holder` the address that was proven, and power over others when `holder_commands`;
    `links_to` is the account that asked for a link, and `is_open` whether everybody may register."""
    if links_to is not None:
        if owner is None:
            return Outcome.LINK
        return Outcome.NOTHING if owner.id == links_to else Outcome.LINKED_ELSEWHERE
    if owner is not None:
        return Outcome.SIGN_IN if may_sign_in(owner) else Outcome.NO_ACCOUNT
    if holder is not None:
        return _about_holder(holder, commands=holder_commands)
    return Outcome.REGISTER if is_open else Outcome.NO_ACCOUNT


def may_sign_in(user: User) -> bool:
    """Whether an identity alone opens this account."""
    return user.active and user.second_factor_at is None


def _about_holder(holder: User, *, commands: bool) -> Outcome:
    if not holder.active:
        return Outcome.NO_ACCOUNT
    is_theirs = holder.email_verified_at is not None
    if is_theirs or holder.second_factor_at is not None or commands:
        return Outcome.SIGN_IN_FIRST
    return Outcome.TAKE_OVER
