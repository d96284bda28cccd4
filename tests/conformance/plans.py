"""The plans, by the names that the Foundation's suite gives them, and the file that proves each.

A module `oidcc-prompt-login` is proven by the test `test_oidcc_prompt_login`. Modules that only run where clients
register themselves are in the lists too: what they ask for is refused here in the way that they allow.

Gatepost wants PKCE of every client (OAuth 2.1 §4.1.1, RFC 9700 §2.1.1), the suite sends it in one module alone. Here
every request has it; `test_oidcc_server` also proves what happens without.
"""

from dataclasses import dataclass

BASIC = "oidcc-basic-certification-test-plan"
CONFIG = "oidcc-config-certification-test-plan"
RP_LOGOUT = "oidcc-rp-initiated-logout-certification-test-plan"
BACK_CHANNEL = "oidcc-backchannel-rp-initiated-logout-certification-test-plan"


@dataclass(frozen=True)
class Plan:
    """`modules` in the order of the suite; `files` are the test modules of this folder that hold their tests."""

    files: tuple[str, ...]
    modules: tuple[str, ...]


PLANS = {
    BASIC: Plan(
        ("test_basic_claims", "test_basic_requests", "test_basic_sessions", "test_basic_tokens"),
        (
            "oidcc-server",
            "oidcc-response-type-missing",
            "oidcc-idtoken-signature",
            "oidcc-idtoken-unsigned",
            "oidcc-userinfo-get",
            "oidcc-userinfo-post-header",
            "oidcc-userinfo-post-body",
            "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
            "oidcc-scope-profile",
            "oidcc-scope-email",
            "oidcc-scope-address",
            "oidcc-scope-phone",
            "oidcc-scope-all",
            "oidcc-ensure-other-scope-order-succeeds",  # of earlier releases of the suite
            "oidcc-alternate-happy-flow",  # stands in its place now
            "oidcc-display-page",
            "oidcc-display-popup",
            "oidcc-prompt-login",
            "oidcc-prompt-none-not-logged-in",
            "oidcc-prompt-none-logged-in",
            "oidcc-max-age-1",
            "oidcc-max-age-10000",
            "oidcc-ensure-request-with-unknown-parameter-succeeds",
            "oidcc-id-token-hint",
            "oidcc-login-hint",
            "oidcc-ui-locales",
            "oidcc-claims-locales",
            "oidcc-ensure-request-with-acr-values-succeeds",
            "oidcc-codereuse",
            "oidcc-codereuse-30seconds",
            "oidcc-ensure-registered-redirect-uri",
            "oidcc-ensure-post-request-succeeds",
            "oidcc-server-client-secret-post",
            "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
            "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
            "oidcc-claims-essential",
            "oidcc-ensure-request-object-with-redirect-uri",
            "oidcc-refresh-token",
            "oidcc-ensure-request-with-valid-pkce-succeeds",
        ),
    ),
    CONFIG: Plan(("test_config",), ("oidcc-discovery-endpoint-verification",)),
    RP_LOGOUT: Plan(
        ("test_rp_initiated_logout",),
        (
            "oidcc-rp-initiated-logout-discovery-endpoint-verification",
            "oidcc-rp-initiated-logout",
            "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
            "oidcc-rp-initiated-logout-modified-id-token-hint",
            "oidcc-rp-initiated-logout-no-id-token-hint",
            "oidcc-rp-initiated-logout-no-params",
            "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
            "oidcc-rp-initiated-logout-no-state",
            "oidcc-rp-initiated-logout-only-state",
            "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
            "oidcc-rp-initiated-logout-bad-id-token-hint",
        ),
    ),
    BACK_CHANNEL: Plan(
        ("test_back_channel_logout",),
        ("oidcc-backchannel-logout-discovery-endpoint-verification", "oidcc-backchannel-rp-initiated-logout"),
    ),
}


def name_of_test(module: str) -> str:
    """The name of the test that proves a module."""
    return f"test_{module.replace('-', '_')}"
