"""Every key that Gatepost keeps in Redis, and how long each lives.

| key | holds | lives |
|---|---|---|
| `gp:{user}:f:<family>` | hash: one refresh family | until its idle or absolute end; ended: until nobody asks |
| `gp:{user}:e` | string: the user's epoch | longer than any family of the user, and than a raise matters |
| `gp:{client}:c` | string: the client's epoch | as long as the raise matters |
| `gp:{owner}:x:<kind>:<subject>` | `1`: revoked | as long as the revocation matters |
| `gp:{user}:ac:<session>:<nonce>` | hash: what an authorization code stands for; spent: a mark | a minute; spent: 10 |
| `gp:{session}:dc:<nonce>` | hash: the request of a device | until its end, or 10 minutes after it was granted |
| `gp:{user code}:uc` | string: which request the code leads to | as long as the request may be decided |
| `gp:{digest}:n:<digest>` | hash: failures of one kind in a row | until they are forgotten (service/limits/meter.py) |
| `gp:{digest}:r` | string: when all permits of a budget are back | until then |
| `gp:failures` | string: shows that the counters were not lost | for ever |
| `gp:{digest}:t` | string: a sign-in that is under way elsewhere, sealed | as long as it may take |
| `gp:revocations` | stream: revocations as they are acknowledged | the newest `STREAM_LENGTH`, about |

Each lives `MARGIN` longer than it must, so that clocks which disagree by less than that lose nothing. The part in
braces is the hash tag: all keys of a user are in one slot of a cluster.

Fields of a family. Times are whole microseconds since 1970, by the clock of Redis unless said otherwise.

| field | |
|---|---|
| `p` | what never changes, as JSON: `[auth_time, ends_at, [scopes], [amr], acr, [audience]]`, written by this service |
| `c` | client id |
| `a` | absolute end |
| `d` | digest over `a`, `c` and `p`: a family that somebody else wrote is not believed |
| `g` | current generation |
| `t` | when it was reached; 0 when that is not known |
| `i` | idle end |
| `s` | stamp: the run of the server in which the family was last held against SQL |
| `e`, `k` | the user's and the client's epoch at that moment |
| `x` | present when the family has ended |

Fields of a code: `p` the grant as JSON and `t` when it was kept; spent, in place of both: `x` taken, `r` somebody came
again. Of a request: `c` client id, `p` `[[scopes], [audience]]`, `t` begun, `i` interval, `l` last asked, `s` one of
`pending granted denied taken`, `u` who granted it, `g` the grant, `r` somebody asked again after it was taken. Of
failures: `n` how many, `t` until when some were forgiven, `u` closed until, `p` attempts under way, `q` since when.
"""

from dataclasses import dataclass
from datetime import timedelta

from gatepost.revocation import RevocationKind

PREFIX = "gp:"
MARGIN = timedelta(minutes=15)
CLOSED_FOR = timedelta(days=1)
"""How long at least a family that was ended stays marked."""
STREAM_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The names of keys under one prefix, which several services on one Redis may choose differently."""

    prefix: str = PREFIX

    def __post_init__(self) -> None:
        if "{" in self.prefix or "}" in self.prefix:
            raise ValueError("the key prefix must not contain braces: they would move the hash tag")

    def family(self, user_id: str, family_id: str) -> str:
        """One refresh family."""
        return f"{self.prefix}{{{_tag(user_id)}}}:f:{family_id}"

    def user_epoch(self, user_id: str) -> str:
        """The newest epoch of a user that Redis knows of."""
        return f"{self.prefix}{{{_tag(user_id)}}}:e"

    def client_epoch(self, client_id: str) -> str:
        """The newest epoch of a client that Redis knows of. Apart from the users', so that no id can mean both."""
        return f"{self.prefix}{{{_tag(client_id)}}}:c"

    def code(self, user_id: str, session_id: str, nonce: str) -> str:
        """One authorization code."""
        return f"{self.prefix}{{{_tag(user_id)}}}:ac:{session_id}:{nonce}"

    def device(self, session_id: str, nonce: str) -> str:
        """The request of one device."""
        return f"{self.prefix}{{{_tag(session_id)}}}:dc:{nonce}"

    def user_code(self, user_code: str) -> str:
        """Which request a user code leads to."""
        return f"{self.prefix}{{{_tag(user_code)}}}:uc"

    def failures(self, who: str, where: str) -> str:
        """The failures of one kind in a row; both names are digests."""
        return f"{self.prefix}{{{who}}}:n:{where}"

    def budget(self, who: str) -> str:
        """When all permits of a budget are back; the name is a digest."""
        return f"{self.prefix}{{{who}}}:r"

    @property
    def failures_mark(self) -> str:
        """Lies beside the counters of failures, and goes when they go."""
        return f"{self.prefix}failures"

    def transaction(self, digest: str) -> str:
        """One sign-in that is under way at another service."""
        return f"{self.prefix}{{{_tag(digest)}}}:t"

    def blacklist(self, owner: str, kind: RevocationKind, subject: str) -> str:
        """Present while the subject is revoked."""
        return f"{self.prefix}{{{_tag(owner)}}}:x:{kind}:{subject}"

    @property
    def stream(self) -> str:
        """The stream of revocations."""
        return f"{self.prefix}revocations"


def _tag(owner: str) -> str:
    return owner.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
