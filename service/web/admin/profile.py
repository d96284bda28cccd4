"""What an administrator says about a person beside what the person says."""

from service.web.profile import OwnProfileAsked, Text


class ProfileAsked(OwnProfileAsked):
    """The standard claims to put in (OpenID Connect Core §5.1). Null takes one away, what is left out stays."""

    preferred_username: Text | None = None
    phone_number_verified: bool | None = None
