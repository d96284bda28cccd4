"""Which meters there are, from the operator's figures."""

from dataclasses import dataclass, replace
from datetime import timedelta

from service.limits.meter import Meter

_SECOND, _HOUR, _DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's figures: how many failures are free, and how long a door stays closed."""

    close_after: int = 5
    stop_after: int = 50
    slow_after: int = 3
    network_failures: int = 50
    program_failures: int = 10
    letters_to_address: int = 5
    letters_from_network: int = 20
    network_pace: timedelta = timedelta(seconds=36)
    first_closure: timedelta = timedelta(minutes=1)
    longest_closure: timedelta = timedelta(minutes=15)

    @property
    def account(self) -> Meter:
        """Strangers at one account, all together."""
        return self._of_secret("account")

    @property
    def device(self) -> Meter:
        """One known device at its account."""
        return self._of_secret("device")

    @property
    def confirmation(self) -> Meter:
        """Who has signed in and is asked for the password again."""
        return self._of_secret("confirmation")

    @property
    def account_from_network(self) -> Meter:
        """Strangers at one account from one network."""
        return Meter("account from network", self.slow_after, _SECOND, self.longest_closure, _DAY, _DAY, resets=True)

    @property
    def network(self) -> Meter:
        """Strangers of one network at all accounts."""
        return self._of_network("network", self.network_failures)

    @property
    def api_keys(self) -> Meter:
        """Wrong API keys from one network."""
        return self._of_network("api keys", self.network_failures)

    @property
    def links(self) -> Meter:
        """Dead single-use links from one network."""
        return self._of_network("links", self.network_failures)

    @property
    def letters_from(self) -> Meter:
        """Letters that were asked for from one network."""
        return replace(self._of_network("letters from", self.letters_from_network), reserves=True)

    @property
    def letters_to(self) -> Meter:
        """Letters that were asked for to one address."""
        return replace(self._closing("letters to", self.letters_to_address), reserves=True)

    @property
    def client(self) -> Meter:
        """Wrong secrets of one client from one network."""
        return self._closing("client", self.program_failures)

    @property
    def user_codes(self) -> Meter:
        """Wrong user codes of devices from one network (RFC 8628 §5.1)."""
        return self._closing("user codes", self.program_failures)

    def _of_secret(self, name: str) -> Meter:
        return Meter(
            name,
            self.close_after,
            self.first_closure,
            self.longest_closure,
            _DAY,
            _MONTH,
            stop=self.stop_after,
            reserves=True,
            resets=True,
        )

    def _of_network(self, name: str, free: int) -> Meter:
        return Meter(name, free, _SECOND, self.longest_closure, _DAY, _DAY, pace=self.network_pace)

    def _closing(self, name: str, free: int) -> Meter:
        return Meter(name, free, self.first_closure, self.longest_closure, _HOUR, _HOUR)
