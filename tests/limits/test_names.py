"""Whatever names are made up, and from how many networks: what Redis holds of them has an end. The full form is in
tests/long/."""

import pytest

from service.app import House
from service.limits import Rate
from tests.long.names import ask_from_networks, held, longest_budget, try_names
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
NAMES = 2_000


@pytest.mark.spec("RATE-05")
async def test_two_thousand_names_are_counters_that_end_and_as_many_networks_are_soon_forgotten(
    valkey_server: ValkeyServer, house: House
) -> None:
    before = held(valkey_server)
    await try_names(house, NAMES)
    tried = held(valkey_server)
    assert tried.keys - before.keys >= 2 * NAMES
    assert tried.endless <= before.endless + 1, "the mark beside the counters"
    await ask_from_networks(house, NAMES, Rate.parse("600/m"))
    asked = held(valkey_server)
    assert asked.keys > tried.keys
    assert asked.endless == tried.endless
    assert longest_budget(valkey_server) <= 601, "six permits of 600 in a minute are back in 0.6 s"
