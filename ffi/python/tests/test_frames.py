"""Data frames of four libraries: the same values, those of the page rewriter."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pytest

import thinveil
from thinveil import Key, Mask, Rules

NAMES = ["Anna Karenina", None, "Jürgen Müller", "", "Anna Karenina"]
RULES = {"id": "keep", "name": "full_name", "born": {"mask": "date_shift", "days": 30}}


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array([1, 2, 3, 4, 5], pa.int32()),
            "name": NAMES,
            "born": [datetime.date(1980, 1, day) for day in range(1, 6)],
        }
    )


def wanted(key: Key) -> list[str | None]:
    one = Mask("full_name", key)
    return [None if name is None else one.apply_text(name) for name in NAMES]


def test_all_libraries_agree(table: pa.Table, key: Key) -> None:
    masked = thinveil.mask(table, RULES, key)
    assert isinstance(masked, pa.Table) and masked.schema == table.schema
    assert masked["name"].to_pylist() == wanted(key)
    assert masked["id"] == table["id"] and masked["born"] != table["born"]

    frame = thinveil.mask(polars.from_arrow(table), RULES, key)
    assert isinstance(frame, polars.DataFrame)
    assert frame.to_arrow().to_pylist() == masked.to_pylist()

    pandas_frame = thinveil.mask(table.to_pandas(), RULES, key)
    assert isinstance(pandas_frame, pandas.DataFrame)
    assert pa.Table.from_pandas(pandas_frame).to_pylist() == masked.to_pylist()

    relation = thinveil.mask(duckdb.from_arrow(table), RULES, key)
    assert isinstance(relation, duckdb.DuckDBPyRelation)
    assert relation.to_arrow_table().to_pylist() == masked.to_pylist()

    reader = thinveil.mask(table.to_reader(max_chunksize=2), RULES, key)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_all().to_pylist() == masked.to_pylist()


def test_dictionaries_and_categories_keep_their_form(table: pa.Table, key: Key) -> None:
    encoded = table.set_column(1, "name", table["name"].dictionary_encode())
    masked = thinveil.mask(encoded, RULES, key)
    assert masked.schema == encoded.schema
    assert masked["name"].to_pylist() == wanted(key)
    frame = polars.from_arrow(table).with_columns(polars.col("name").cast(polars.Categorical))
    masked_frame = thinveil.mask(frame, RULES, key)
    assert masked_frame["name"].cast(polars.String).to_list() == wanted(key)
    category = table.to_pandas().astype({"name": "category"})
    same = {**RULES, "name": {"mask": "constant", "value": "x"}}
    result = thinveil.mask(category, same, key)
    assert result["name"].dtype.name == "category"


def test_what_no_rule_names_is_refused(table: pa.Table, key: Key) -> None:
    with pytest.raises(thinveil.RefusedError) as raised:
        thinveil.mask(table, {"name": "uuid", "nmae": "email"}, key)
    found = {(reason.code, reason.column) for reason in raised.value.reasons}
    assert found == {
        ("unlisted_column", "id"),
        ("unlisted_column", "born"),
        ("mask_type_mismatch", "name"),
        ("unknown_column", "nmae"),
    }
    kept = Rules.for_columns({"name": "full_name"}, unlisted="keep")
    assert thinveil.mask(table, kept, key)["id"] == table["id"]


def test_rules_of_one_table_of_many(table: pa.Table, key: Key) -> None:
    rules = Rules(
        """
        version = 1
        [databases.a.tables."public.x"]
        id = "keep"
        [databases.a.tables."public.y"]
        id = "keep"
        name = "full_name"
        born = "keep"
        """
    )
    masked = thinveil.mask(table, rules, key, name=("a", "public.y"))
    assert masked["name"].to_pylist() == wanted(key)
    with pytest.raises(thinveil.NotFoundError):
        thinveil.mask(table, rules, key, name=("a", "public.z"))
    with pytest.raises(thinveil.ArgumentError):
        thinveil.mask(table, rules, key)


def test_a_python_callable_masks_a_column(table: pa.Table, key: Key) -> None:
    seen: list[int] = []

    def stars(value: bytes) -> bytes:
        seen.append(len(value))
        return "".join("ß" if len(c.encode()) == 2 else "*" for c in value.decode()).encode()

    rules: dict[str, Any] = {**RULES, "name": Mask.custom(stars)}
    reader = thinveil.mask(table.to_reader(), rules, key)
    del rules
    masked = reader.read_all()["name"].to_pylist()
    assert masked == ["*" * 13, None, "*ß******ß****", "", "*" * 13]
    # The empty text is a value too; the null is none.
    assert seen == [13, 15, 0, 13]

    shout: dict[str, Any] = {**RULES, "name": Mask.custom(lambda value: value + b"!")}
    with pytest.raises(Exception, match="column name: value 0: .*another length"):
        thinveil.mask(table, shout, key)


def test_a_stream_that_nobody_reads_is_released(table: pa.Table, key: Key) -> None:
    class Wrapped:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return table.__arrow_c_stream__(requested_schema)

    stream: Any = thinveil.mask(Wrapped(), RULES, key)
    assert isinstance(stream, thinveil.MaskedStream)
    capsule = stream.__arrow_c_stream__()
    assert thinveil.frames._CAPSULES
    del capsule
    assert not thinveil.frames._CAPSULES
    with pytest.raises(ValueError, match="read before"):
        stream.__arrow_c_stream__()
