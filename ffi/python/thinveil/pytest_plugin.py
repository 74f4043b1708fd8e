"""The fixture `thinveil_clone`: a clone of a sealed snapshot for each test.

Which snapshot, by options or in pytest's configuration:

    [tool.pytest.ini_options]
    thinveil_pool = "/srv/pool"
    thinveil_snapshot = "monday"
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .pools import Clone, Pool, Snapshot


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("thinveil")
    for name, what in (("pool", "the pool's directory"), ("snapshot", "id or name of the snapshot")):
        group.addoption(f"--thinveil-{name}", default=None, help=f"thinveil: {what}")
        parser.addini(f"thinveil_{name}", f"thinveil: {what}")


def _setting(config: pytest.Config, name: str) -> str:
    value = config.getoption(f"thinveil_{name}") or config.getini(f"thinveil_{name}")
    if not value:
        pytest.fail(f"which {name}? Give --thinveil-{name}, or set thinveil_{name}", pytrace=False)
    return str(value)


@pytest.fixture(scope="session")
def thinveil_snapshot(request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """The snapshot that clones are made of."""
    with Pool.open(_setting(request.config, "pool")) as pool:
        yield pool.snapshot(_setting(request.config, "snapshot"))


@pytest.fixture
def thinveil_clone(thinveil_snapshot: Snapshot) -> Iterator[Clone]:
    """A clone of the test's own, running; gone when the test ends."""
    with thinveil_snapshot.clone() as clone:
        yield clone
