"""A pool with a sealed snapshot of a small cluster, made once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Sql, make_cluster

import thinveil

pytest_plugins = ["pytester"]

RULES = """
version = 1
[databases.shop.tables."public.customers"]
id = "keep"
email = "email"
name = "full_name"
born = { mask = "date_shift", days = 30 }
price = "numeric"
seen = "timestamp_shift"
ref = "uuid"
"""


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="thinveil-python-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def source(place: Path) -> Path:
    """A stopped cluster."""

    def fill(sql: Sql) -> None:
        sql("postgres", "CREATE DATABASE shop")
        sql(
            "shop",
            """CREATE TABLE customers (id int PRIMARY KEY, email text, name text, born date,
                                       price numeric(10,2), seen timestamptz, ref uuid);
               INSERT INTO customers
               SELECT n, 'person' || n || '@production.com', 'Anna Person' || n,
                      date '1970-01-01' + n, n * 1.25,
                      timestamptz '2020-02-03 04:05:06.789+00' + n * interval '1 hour',
                      md5(n::text)::uuid
               FROM generate_series(1, 500) n""",
        )

    return make_cluster(place / "cluster", fill)


@pytest.fixture(scope="session")
def key() -> thinveil.Key:
    return thinveil.Key(bytes(range(32)))


@pytest.fixture(scope="session")
def pool(place: Path) -> Iterator[thinveil.Pool]:
    with thinveil.Pool.init(place / "pool") as pool:
        yield pool
        for clone in pool.clones():
            clone.destroy()
        for snapshot in pool.snapshots():
            snapshot.destroy()


@pytest.fixture(scope="session")
def snapshot(pool: thinveil.Pool, source: Path, key: thinveil.Key) -> thinveil.Snapshot:
    return thinveil.Snapshot.create(pool, source, thinveil.Rules(RULES), key, name="sealed")
