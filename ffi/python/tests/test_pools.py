"""Snapshots and clones of a real cluster, through the package."""

from __future__ import annotations

import _thread
import json
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import psycopg
import pyarrow as pa
import pytest

import thinveil
from thinveil import Key, Plan, Pool, ProgressEvent, Rules, Snapshot

from conftest import RULES

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/json/v1.schema.json").read_text())


def valid(record: object, name: str) -> None:
    jsonschema.validate(record, {**SCHEMA, "$ref": f"#/$defs/{name}"})


def test_records_are_as_documented(pool: Pool, snapshot: Snapshot) -> None:
    valid(snapshot.record, "snapshot")
    assert set(snapshot.record) <= set(SCHEMA["$defs"]["snapshot"]["properties"])
    valid(snapshot.audit(), "snapshot_audit")
    valid(pool.status(), "pool_status")
    valid(pool.recover(), "recovery")
    assert [it.id for it in pool.snapshots()] == [snapshot.id]


def test_a_plan_comes_to_tasks(pool: Pool, source: Path, key: Key, place: Path) -> None:
    plan = pickle.loads(pickle.dumps(Plan.make(pool, str(source), Rules(RULES))))
    [segment] = plan.segments(source)
    valid(segment, "planned_segment")
    masked = place / "segments"
    rewritten = plan.rewrite_segment(key, segment, source, masked)
    valid(rewritten, "rewritten_segment")
    maps = [rewritten["toast_map"]]
    valid(plan.rewrite_toast(key, segment, maps, source, masked), "segment_report")
    found, raw = ((place / segment["path"]).read_bytes() for place in (masked, source))
    assert b"@production" in raw and b"@production" not in found and len(found) == len(raw)
    with pytest.raises(thinveil.ArgumentError):
        Plan(plan.json[1:]).segments(source)


def test_rules_are_suggested_and_checked(pool: Pool, source: Path) -> None:
    suggested = Rules(pool.suggest(str(source)))
    assert pool.check(str(source), suggested)["tables_masked"] == 1
    valid(pool.check(str(source), Rules(RULES)), "rules_check")
    with pytest.raises(thinveil.RefusedError) as raised:
        pool.check(str(source), Rules(RULES.replace('email = "email"\n', "")))
    assert [(r.code, r.column) for r in raised.value.reasons] == [("unlisted_column", "email")]


def test_a_clone_holds_what_the_frame_masks_make(
    pool: Pool, snapshot: Snapshot, source: Path, key: Key
) -> None:
    """The page rewriter and the Arrow masks, value by value."""
    with snapshot.clone("frames", ports=(9500, 9520)) as clone:
        valid(clone.record, "clone")
        assert clone.is_running and "password" not in clone.record
        query = "SELECT id, email, name, born, price, seen, ref FROM customers ORDER BY id"
        with psycopg.connect(clone.dsn) as connection:
            pages = connection.execute(query).fetchall()
        assert clone.sqlalchemy_url.startswith("postgresql+psycopg://thinveil:")
        clone.stop()
        assert not clone.is_running
        clone.start()
        clone.reset()
    numbers = range(1, 501)
    import datetime
    import decimal
    import hashlib
    import uuid

    start = datetime.datetime(2020, 2, 3, 4, 5, 6, 789000, datetime.UTC)
    originals = pa.table(
        {
            "id": pa.array(numbers, pa.int32()),
            "email": [f"person{n}@production.com" for n in numbers],
            "name": [f"Anna Person{n}" for n in numbers],
            "born": [datetime.date(1970, 1, 1) + datetime.timedelta(days=n) for n in numbers],
            "price": pa.array([decimal.Decimal(n * 125) / 100 for n in numbers], pa.decimal128(10, 2)),
            "seen": pa.array(
                [start + datetime.timedelta(hours=n) for n in numbers], pa.timestamp("ms", "UTC")
            ),
            "ref": pa.array([hashlib.md5(str(n).encode()).digest() for n in numbers], pa.binary(16)),
        }
    )
    rules = Rules(RULES)
    masked = thinveil.mask(originals, rules, key, name=("shop", "public.customers"))
    rows = [tuple(row.values()) for row in masked.to_pylist()]
    rows = [(*row[:6], uuid.UUID(bytes=row[6])) for row in rows]
    assert rows == pages
    assert all(a != b for a, b in zip(masked["email"], originals["email"], strict=True))


def test_a_clone_becomes_a_snapshot_that_clones_move_to(
    pool: Pool, snapshot: Snapshot, key: Key
) -> None:
    with snapshot.clone("fixtures", ports=(9521, 9540)) as clone:
        with psycopg.connect(clone.dsn) as connection:
            connection.execute("DELETE FROM customers WHERE id > 10")
        ten = clone.snapshot("ten", key=key)
        valid(ten.record, "snapshot")
        assert set(ten.record) <= set(SCHEMA["$defs"]["snapshot"]["properties"])
        assert ten.record["lineage"]["clone"] == clone.id
        clone.reset()
        assert clone.record["snapshot"] == snapshot.id
        clone.reset(to=ten)
        with psycopg.connect(clone.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM customers").fetchall() == [(10,)]
        with pytest.raises(thinveil.BusyError):
            ten.destroy()
    ten.destroy()


def test_progress_is_told_and_may_stop_the_work(pool: Pool, source: Path, key: Key) -> None:
    events: list[ProgressEvent] = []

    def stop(event: ProgressEvent) -> None:
        events.append(event)
        if event.stage == "rewrite":
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        Snapshot.create(pool, source, Rules(RULES), key, name="never", progress=stop)
    assert [e.stage for e in events if e.event == "begin"][:2] == ["stage", "plan"]
    assert "never" not in [snapshot.name for snapshot in pool.snapshots()]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that a shell put in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_keyboard_interrupt_stops_the_work(pool: Pool, source: Path, key: Key) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if event.stage == "plan" and event.event == "begin":
            _thread.interrupt_main()
            time.sleep(0.3)

    with pytest.raises(KeyboardInterrupt):
        Snapshot.create(pool, source, Rules(RULES), key, name="never", progress=interrupt)
    assert pool.status()["staging"] == 0
    assert "never" not in [snapshot.name for snapshot in pool.snapshots()]


def test_the_gil_is_not_held(pool: Pool, source: Path) -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        pool.suggest(str(source))
    finally:
        done.set()
        thread.join()
    gaps = [after - before for before, after in zip(ticks, ticks[1:])]
    assert len(ticks) > 10 and max(gaps) < 0.5


def test_names_that_nothing_has_are_told(pool: Pool) -> None:
    with pytest.raises(thinveil.NotFoundError):
        pool.snapshot("sunday")
    with pytest.raises(LookupError):
        pool.clone("nobody")
    pool_again = Pool.open(pool.status()["dir"])
    pool_again.close()
    with pytest.raises(ValueError, match="closed"):
        pool_again.status()


def test_the_fixture_gives_each_test_its_own_clone(
    pytester: pytest.Pytester, pool: Pool, snapshot: Snapshot
) -> None:
    pytester.makepyfile(
        """
        import psycopg

        def test_first(thinveil_clone):
            with psycopg.connect(thinveil_clone.dsn) as connection:
                connection.execute("DELETE FROM customers")

        def test_second(thinveil_clone):
            with psycopg.connect(thinveil_clone.dsn) as connection:
                assert connection.execute("SELECT count(*) FROM customers").fetchone() == (500,)
        """
    )
    directory = pool.status()["dir"]
    result = pytester.runpytest_subprocess(
        f"--thinveil-pool={directory}", "--thinveil-snapshot=sealed", "--durations=0", "-vv"
    )
    result.assert_outcomes(passed=2)
    assert pool.clones() == []
