"""What the tests of commands share."""

from collections.abc import Iterator

import pytest

from tests.cli.running import Warm


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Processes that have loaded what commands need."""
    warm = Warm(tmp_path_factory.mktemp("warm"))
    yield warm
    warm.close()
