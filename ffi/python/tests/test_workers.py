"""Spark and Ray: what many workers write is what one machine writes, and none of it shows the key.
Ray rewrites a cluster's files, too, though a worker is killed.

THINVEIL_TEST_ROWS says how many rows; `make test-workers` takes ten million."""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
import pytest
import ray as ray_itself
from pyspark.sql import SparkSession

from clusters import Sql, make_cluster

import thinveil
from thinveil import Key, Mask, Plan, Rules, ray, spark
from thinveil.workers import KeyFile

ROWS = int(os.environ.get("THINVEIL_TEST_ROWS", "200000"))
FILES = 16
SECRET = bytes(reversed(range(32)))
RULES = {
    "id": "keep",
    "email": "email",
    "name": "full_name",
    "born": {"mask": "date_shift", "days": 30},
    "balance": "numeric",
    "seen": "timestamp_shift",
}


def rows(first: int, count: int) -> pa.Table:
    number = numpy.arange(first, first + count)
    text = pa.array(number).cast(pa.string())
    names = pa.array(["Anna", "Jürgen", "Chloé", "Bob", "Ольга"]).take(pa.array(number % 5))
    name = pc.binary_join_element_wise(names, pc.binary_join_element_wise("Person", text, ""), " ")
    return pa.table(
        {
            "id": number,
            "email": pc.binary_join_element_wise("person", text, "@production.example", ""),
            "name": pc.if_else(pa.array(number % 11 == 0), pa.scalar(None, pa.string()), name),
            "born": pa.array((number % 20000).astype("int32")).cast(pa.date32()),
            "balance": pa.array(numpy.round(number % 99991 / 7, 2)).cast(pa.decimal128(12, 2)),
            "seen": pa.array(1_600_000_000_000_000 + number * 977_777).cast(
                pa.timestamp("us", "UTC")
            ),
        }
    )


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    # Ray's sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="tv-", dir="/var/tmp") as path:
        # Workers import from where the driver is: not this package's source, which has no library.
        # PostgreSQL's user has to pass.
        Path(path).chmod(0o711)
        with contextlib.chdir(path):
            yield Path(path)


@pytest.fixture(scope="module")
def files(home: Path) -> Path:
    files = home / "files"
    files.mkdir()
    each = -(-ROWS // FILES)
    for number in range(FILES):
        first = number * each
        table = rows(first, min(each, ROWS - first))
        pa.parquet.write_table(table, files / f"{number:02}.parquet")
    return files


@pytest.fixture(scope="module")
def key_file(home: Path) -> KeyFile:
    path = home / "mask.key"
    path.touch(mode=0o600)
    path.write_text(SECRET.hex() + "\n")
    return KeyFile(str(path))


@pytest.fixture(scope="module")
def wanted(files: Path) -> pa.Table:
    """What one machine makes of it."""
    with Key(SECRET) as key:
        reader = pa.dataset.dataset(files).scanner().to_reader()
        masked = thinveil.mask(reader, RULES, key).read_all()
    raw = pa.dataset.dataset(files).to_table()
    for column in raw.column_names:
        assert masked[column].null_count == raw[column].null_count
        assert (masked[column] == raw[column]) == (column == "id"), column
    return masked


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    assert found.num_rows == wanted.num_rows == ROWS
    found, wanted = (table.sort_by("id").combine_chunks() for table in (found, wanted))
    for column in wanted.column_names:
        assert found[column].cast(wanted[column].type) == wanted[column], column


def forms_of_the_key() -> list[bytes]:
    digits = SECRET.hex().encode()
    return [SECRET, digits, digits.upper(), base64.b64encode(SECRET)[:42], repr(SECRET)[2:-1].encode()]


def assert_no_key_in(place: Path) -> None:
    searched = 0
    for path in place.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(form in content for form in forms_of_the_key()), path
            searched += len(content)
    assert searched > 0


def test_spark_masks_as_one_machine_does(
    home: Path, files: Path, wanted: pa.Table, key_file: KeyFile
) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    logs, out = home / "spark", home / "spark-out"
    (logs / "events").mkdir(parents=True)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        .config("spark.eventLog.enabled", "true")
        .config("spark.eventLog.dir", (logs / "events").as_uri())
        .config("spark.local.dir", str(logs / "local"))
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    try:
        frame = session.read.parquet(str(files))
        with pytest.raises(thinveil.RefusedError) as raised:
            spark.mask(frame, {"id": "keep"}, key_file)
        assert {reason.column for reason in raised.value.reasons} == set(RULES) - {"id"}

        masked = spark.mask(frame, RULES, key_file)
        assert masked.schema == frame.schema
        masked.write.parquet(str(out))
        plan = session._jvm.PythonSQLUtils.explainString(  # type: ignore[union-attr]
            masked._jdf.queryExecution(), "extended"
        )
        assert "MapInArrow" in plan
        assert not any(form in plan.encode("utf-8") for form in forms_of_the_key())
    finally:
        session.stop()
    assert_same(pa.dataset.dataset(out, format="parquet").to_table(), wanted)
    assert_no_key_in(logs)


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Path]:
    """Ray, for a while: where its logs go."""
    logs = home / "ray"
    os.environ["RAY_AUTH_MODE"] = "disabled"
    ray_itself.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=1 << 30,
        _temp_dir=str(logs),
        log_to_driver=False,
    )
    yield logs
    ray_itself.shutdown()


def test_ray_masks_as_one_machine_does(
    cluster: Path, home: Path, files: Path, wanted: pa.Table, key_file: KeyFile
) -> None:
    out = home / "ray-out"
    dataset = ray_itself.data.read_parquet(str(files))
    with pytest.raises(thinveil.RefusedError):
        ray.mask(dataset, {"id": "keep"}, key_file)
    masked = ray.mask(dataset, RULES, key_file)
    masked.write_parquet(str(out))
    assert not any(form in repr(masked).encode() for form in forms_of_the_key())
    assert_same(pa.dataset.dataset(out, format="parquet").to_table(), wanted)
    assert_no_key_in(cluster)


@dataclass(frozen=True)
class DeadlyKeyFile:
    """Kills one worker, when several have asked for the key."""

    key: KeyFile
    asked: str

    def __call__(self) -> Key:
        with open(self.asked, "ab", buffering=0) as file:
            file.write(b".")
        if os.path.getsize(self.asked) >= 5:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.asked + ".killed", os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        return self.key()


TABLES = 34


@pytest.fixture(scope="module")
def raw(home: Path) -> Path:
    """A stopped cluster of many tables, all of them with values out of line."""

    def fill(sql: Sql) -> None:
        for number in range(TABLES):
            sql(
                "postgres",
                f"""CREATE TABLE t{number} (id int PRIMARY KEY, email text, note text);
                    ALTER TABLE t{number} ALTER note SET STORAGE external;
                    INSERT INTO t{number}
                    SELECT n, 'person' || n || '@production.com', repeat(md5(n::text), 1 + n % 100)
                    FROM generate_series(1, 300) n;
                    UPDATE t{number} SET id = -id WHERE id % 7 = 0""",
            )

    return make_cluster(home / "cluster", fill)


def test_ray_rewrites_the_files_that_one_machine_writes(
    cluster: Path, home: Path, raw: Path, key_file: KeyFile
) -> None:
    tables = "".join(
        f"""[databases.postgres.tables."public.t{number}"]
            id = "keep"
            email = "email"
            note = "text"
        """
        for number in range(TABLES)
    )
    rules = Rules("version = 1\n" + tables)
    with thinveil.Pool.init(home / "pool", "copy") as pool:
        plan = Plan.make(pool, str(raw), rules)
    assert not any(form in plan.json.encode() for form in forms_of_the_key())
    segments = plan.segments(raw)
    assert len(segments) == TABLES

    alone, asked = home / "alone", home / "asked"
    for segment in segments:
        with key_file() as opened:
            rewritten = plan.rewrite_segment(opened, segment, raw, alone)
            plan.rewrite_toast(opened, segment, [rewritten["toast_map"]], raw, alone)
    # Workers can't import this file.
    ray_itself.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    many = home / "many"
    report = ray.rewrite(plan, DeadlyKeyFile(key_file, str(asked)), raw, many, max_retries=3)
    # One task was begun twice.
    assert len(asked.read_bytes()) == 2 * TABLES + 1 and Path(f"{asked}.killed").exists()
    assert report["values_masked"] > TABLES * 600

    def contents(directory: Path) -> dict[Path, bytes]:
        files = (path for path in directory.rglob("*") if path.is_file())
        return {path.relative_to(directory): path.read_bytes() for path in files}

    one = contents(alone)
    assert contents(many) == one and len(one) == 2 * TABLES
    assert all(b"@production" not in content for content in one.values())
    assert_no_key_in(cluster)


def test_a_key_that_is_there_is_found(home: Path, key_file: KeyFile) -> None:
    with pytest.raises(AssertionError, match="mask.key"):
        assert_no_key_in(home)


def test_no_key_and_no_mask_of_ones_own_is_sent(key: Key) -> None:
    with pytest.raises(TypeError, match="KeyFile"):
        pickle.dumps(key)
    with pytest.raises(TypeError, match="name: a mask of your own"):
        thinveil.workers.rules_to_send({"name": Mask.custom(lambda value: value)})
    rules = pickle.loads(pickle.dumps(Rules.for_columns({"name": "full_name"})))
    table = pa.table({"name": ["Anna Karenina"]})
    assert thinveil.mask(table, rules, key) == thinveil.mask(table, {"name": "full_name"}, key)
