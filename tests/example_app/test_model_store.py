import logging
import threading

import pytest

from example_app.iris import EXAMPLES
from example_app.model import UnreadableModelError, dump_model, train
from example_app.model_store import ModelStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.json"


def test_a_model_that_was_swapped_in_is_the_current_one_at_once(path):
    store, model = ModelStore(path), train(1)
    store.replace(model)

    assert store.current() is model


def test_another_worker_notices_a_new_model_at_its_next_request(path):
    mine, theirs = ModelStore(path), ModelStore(path)
    theirs.replace(train(1))
    assert mine.current().seed == 1

    theirs.replace(train(2))

    assert mine.current().seed == 2


def test_an_unchanged_file_is_read_once(path):
    ModelStore(path).replace(train(1))
    store = ModelStore(path)

    assert store.current() is store.current()


def test_no_model_at_all_is_told(path):
    with pytest.raises(FileNotFoundError):
        ModelStore(path).current()


def test_a_broken_file_is_told_when_there_is_nothing_to_fall_back_on(path):
    path.write_text("{")

    with pytest.raises(UnreadableModelError):
        ModelStore(path).current()


def test_a_broken_file_leaves_the_last_good_model_in_place_and_a_line_in_the_log(path, caplog):
    store = ModelStore(path)
    store.replace(train(1))
    path.with_suffix(".new").write_text("{")
    path.with_suffix(".new").replace(path)

    with caplog.at_level(logging.WARNING):
        assert store.current().seed == 1
        assert store.current().seed == 1

    assert len(caplog.records) == 1, "said once, not at every request"
    ModelStore(path).replace(train(2))
    assert store.current().seed == 2


def test_a_deleted_file_leaves_the_last_good_model_in_place(path):
    store = ModelStore(path)
    store.replace(train(1))
    path.unlink()

    assert store.current().seed == 1


def test_nothing_but_the_model_is_left_in_the_folder(path):
    store = ModelStore(path)
    for seed in range(3):
        store.replace(train(seed))

    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_model_that_cannot_be_written_leaves_no_part_of_it_behind(path, monkeypatch):
    store = ModelStore(path)
    store.replace(train(1))
    monkeypatch.setattr("example_app.model_store.os.fsync", _disk_is_full)

    with pytest.raises(OSError, match="No space left"):
        store.replace(train(2))

    assert store.current().seed == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def _disk_is_full(_descriptor):
    raise OSError(28, "No space left on device")


def test_while_models_are_swapped_every_answer_comes_from_one_whole_model(path):
    models = [train(seed, 0.5) for seed in (1, 2)]
    right = [model.probabilities(EXAMPLES["versicolor"]) for model in models]
    assert right[0] != right[1]
    writer, readers = ModelStore(path), [ModelStore(path), ModelStore(path)]
    writer.replace(models[0])
    seen, done = [], threading.Event()

    def read(store):
        while not done.is_set():
            seen.append(store.current().probabilities(EXAMPLES["versicolor"]))

    threads = [threading.Thread(target=read, args=(store,)) for store in (writer, *readers)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        writer.replace(models[turn % 2])
    done.set()
    for thread in threads:
        thread.join()

    assert seen
    assert all(one in right for one in seen)


def test_the_file_is_text_that_a_person_can_read(path):
    ModelStore(path).replace(train(1))

    assert b'"kind": "StandardScaler + LogisticRegression"' in path.read_bytes()
    assert dump_model(ModelStore(path).current()) == path.read_bytes()
