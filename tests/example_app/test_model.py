import json
from datetime import UTC, datetime

import pytest

from example_app.iris import EXAMPLES
from example_app.model import UnreadableModelError, dump_model, load_model, train

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_model_reads_back_as_it_was_written():
    model = train(3, 0.3, now=NOON)

    restored = load_model(dump_model(model))

    assert restored.facts() == model.facts()
    for flower in EXAMPLES.values():
        assert restored.probabilities(flower) == model.probabilities(flower)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_split_the_textbook_flowers_are_recognised(seed):
    model = train(seed, 0.5)

    for species, flower in EXAMPLES.items():
        probabilities = model.probabilities(flower)
        assert max(probabilities, key=probabilities.get) == species


def test_the_same_seed_trains_the_same_model_and_another_one_another():
    assert dump_model(train(1, now=NOON)) == dump_model(train(1, now=NOON))
    assert dump_model(train(1, now=NOON)) != dump_model(train(2, now=NOON))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"features": ["height"]},
        {"mean": [1, 2, 3]},
        {"mean": ["a", "b", "c", "d"]},
        {"scale": [1, 1, 1, 1e999]},
        {"coefficients": [[1, 2, 3, 4]]},
        {"intercepts": None},
        {"classes": 5},
        {"trained_at": "yesterday"},
        {"seed": "x"},
    ],
)
def test_a_file_that_holds_no_such_model_is_refused(change):
    document = {**json.loads(dump_model(train(0))), **change}

    with pytest.raises(UnreadableModelError):
        load_model(json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"[]", b"null", b"{}", b"[" * 100_000])
def test_a_file_of_another_kind_is_refused(content):
    with pytest.raises(UnreadableModelError):
        load_model(content)
