"""The current model: one file that all workers share, one reference that all threads of a worker share."""

import logging
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from example_app.model import IrisModel, UnreadableModelError, dump_model, load_model

_log = logging.getLogger(__name__)

# A file that was replaced is another file: its inode differs even where two times of change are the same.
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Held:
    stamp: _Stamp
    model: IrisModel


class ModelStore:
    """Keeps the current model in a file and in memory.

    A request takes the model once, with [current][example_app.model_store.ModelStore.current], and keeps to
    it: a model that is swapped in meanwhile serves the requests after it, never half of this one.

    Args:
        path: where the model is kept; the folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def current(self) -> IrisModel:
        """The newest model, also when another worker trained it.

        A model file that cannot be read leaves the last good model in place, with a line in the log.

        Raises:
            FileNotFoundError: no model was ever stored.
            UnreadableModelError: the file holds no model, and none was read before.
        """
        held = self._held
        try:
            stamp = _stamp(self._path.stat())
        except FileNotFoundError:
            if held is None:
                raise
            return held.model
        if held is not None and held.stamp == stamp:
            return held.model
        return self._reload()

    def replace(self, model: IrisModel) -> None:
        """Store a model and swap it in: at once for this worker's threads, at the next request for others."""
        with self._lock:
            # Written aside and renamed, so that a reader meets the old file or the new one, never a part.
            with tempfile.NamedTemporaryFile(dir=self._path.parent, prefix=self._path.name, delete=False) as file:
                try:
                    file.write(dump_model(model))
                    file.flush()
                    os.fsync(file.fileno())
                    stamp = _stamp(os.fstat(file.fileno()))
                    Path(file.name).replace(self._path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            self._held = _Held(stamp, model)

    def _reload(self) -> IrisModel:
        with self._lock:
            with self._path.open("rb") as file:
                # The stamp of the file that is open here: the name may lead to a newer one by now.
                stamp = _stamp(os.fstat(file.fileno()))
                held = self._held
                if held is not None and held.stamp == stamp:
                    return held.model
                content = file.read()
            try:
                model = load_model(content)
            except UnreadableModelError:
                if held is None:
                    raise
                _log.warning("%s cannot be read; the model from before stays in use", self._path)
                model = held.model
            self._held = _Held(stamp, model)
            return model


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns
