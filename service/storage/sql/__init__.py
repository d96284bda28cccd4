"""The ledger: identity, sessions, keys and revocations as rows in SQLite or PostgreSQL, one store per file.

Owns the tables, the transactions, the deadlines on both, and the migrations. Refuses to know what the rows mean: rules
live in the rooms whose Protocols the stores keep. Read `database.py` first, then `tables.py`.
"""

from service.storage.sql.api_keys import SqlApiKeys
from service.storage.sql.audit import SqlAudit
from service.storage.sql.clients import SqlClients
from service.storage.sql.consents import SqlConsents
from service.storage.sql.database import Database, SqlTransaction
from service.storage.sql.identities import SqlIdentities
from service.storage.sql.identity_providers import SqlIdentityProviders
from service.storage.sql.letters import SqlLetters
from service.storage.sql.links import SqlLinks
from service.storage.sql.logout_notices import SqlLogoutNotices
from service.storage.sql.revocations import SqlRevocations
from service.storage.sql.sessions import SqlSessions
from service.storage.sql.setup_links import SqlSetupLinks
from service.storage.sql.signing_keys import SqlSigningKeys
from service.storage.sql.usage import SqlUsage
from service.storage.sql.users import SqlUsers

__all__ = [
    "Database",
    "SqlApiKeys",
    "SqlAudit",
    "SqlClients",
    "SqlConsents",
    "SqlIdentities",
    "SqlIdentityProviders",
    "SqlLetters",
    "SqlLinks",
    "SqlLogoutNotices",
    "SqlRevocations",
    "SqlSessions",
    "SqlSetupLinks",
    "SqlSigningKeys",
    "SqlTransaction",
    "SqlUsage",
    "SqlUsers",
]
