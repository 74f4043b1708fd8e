"""The mask engine and the golden vectors that Rust and C hold to as well."""

import json
from pathlib import Path

import pytest

import thinveil
from thinveil import Key, Mask, Rules

GOLDEN = Path(__file__).parents[3] / "tests/golden/masks.json"
LABELS = ["low", "middle", "high", "severe", "fatal", "none", "mild", "odd", "rare"]


def test_every_golden_vector_holds(key: Key) -> None:
    masks: dict[str, Mask] = {}
    vectors = json.loads(GOLDEN.read_text())
    for vector in vectors:
        spec = json.dumps([vector["mask"], vector["value_type"], vector["options"]])
        if spec not in masks:
            is_enum = vector["value_type"] == "enum"
            labels = [(16400 + 2 * at, label) for at, label in enumerate(LABELS)]
            masks[spec] = Mask(
                vector["mask"],
                key,
                type=vector["value_type"],
                domain="golden",
                options=vector["options"],
                labels=labels if is_enum else None,
            )
        value = bytes.fromhex(vector["value_hex"])
        assert masks[spec].apply(value).hex() == vector["masked_hex"], spec
    assert len(vectors) > 1000


def test_keys_are_not_shown_and_closed_once(key: Key) -> None:
    with Key.generate() as drawn:
        assert drawn.id != key.id and len(drawn.id) == 16
        assert drawn.id in repr(drawn)
    drawn.close()
    with pytest.raises(ValueError, match="closed"):
        drawn.id
    with pytest.raises(thinveil.ArgumentError, match="32 bytes"):
        Key(b"short")


def test_a_refusal_lists_every_reason() -> None:
    with pytest.raises(thinveil.RefusedError) as raised:
        Rules('version = 1\nunlisted = "no"\nnonsense = 1\n')
    reasons = raised.value.reasons
    assert isinstance(reasons, list) and len(reasons) == 2
    assert all(reason.code == "rule_file" and reason.remedy for reason in reasons)


def test_a_custom_mask_is_held_to_exact_fit() -> None:
    mask = Mask.custom(lambda value: value[::-1])
    assert mask.apply_text("abc") == "cba"
    with pytest.raises(thinveil.CustomMaskError):
        mask.apply_text("ä")
    for wrong in (lambda value: value + b"x", lambda value: value[:-1], lambda value: 1 / 0):
        with pytest.raises(thinveil.CustomMaskError):
            Mask.custom(wrong).apply_text("abc")
    with pytest.raises(thinveil.ArgumentError):
        Mask.custom(lambda value: value, type="jsonpath")
    before = len(thinveil.masks._CALLBACKS)
    mask.close()
    assert len(thinveil.masks._CALLBACKS) == before - 1
