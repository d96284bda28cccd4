"""How the rooms for signing in with other services are joined."""

from functools import cached_property

from service.addresses import RegistrationMode
from service.app.joinery import Joinery
from service.federation import Arrivals, FederationDesk, HandOver, IdentityBook, ProviderDirectory, ProviderRegistry
from service.outgoing import ProviderCalls
from service.storage.redis import RedisTransactions
from service.storage.sql import SqlIdentities, SqlIdentityProviders


class FederationJoinery(Joinery):
    """The rooms, with those of federation."""

    @cached_property
    def stored_providers(self) -> SqlIdentityProviders:
        return SqlIdentityProviders(self.database, self.sealer)

    @cached_property
    def stored_identities(self) -> SqlIdentities:
        return SqlIdentities(self.database, self.sealer)

    @cached_property
    def providers(self) -> ProviderDirectory:
        within, local = self.settings.federation.patience, self.settings.mode == "local"
        calls = ProviderCalls(self.outgoing, within=within, local=local)
        return ProviderDirectory(self.settings.identity_providers(), self.stored_providers, calls)

    @cached_property
    def identity_providers(self) -> ProviderRegistry:
        return ProviderRegistry(self.acts, self.stored_providers, self.providers, local=self.settings.mode == "local")

    @cached_property
    def federation(self) -> FederationDesk:
        transactions = RedisTransactions(self.link, self.sealer, prefix=self.settings.redis_prefix)
        return FederationDesk(self.providers, transactions)

    @cached_property
    def arrivals(self) -> Arrivals:
        identities, asked = self.stored_identities, self.settings.accounts
        hand_over = HandOver(self.users, self.ending, self.stored_keys, self.stored_consents, self.letters, identities)
        return Arrivals(
            self.acts,
            self.users,
            identities,
            hand_over,
            self.catalogue,
            self.refusals,
            is_open=asked.registration is RegistrationMode.OPEN,
            roles=frozenset(asked.registration_roles),
        )

    @cached_property
    def identities(self) -> IdentityBook:
        return IdentityBook(self.acts, self.users, self.stored_identities, self.providers)
