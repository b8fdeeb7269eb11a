"""The host's epoch: no increment is lost, and no file is trusted that others may have made."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from flask_permjwt.accounts.feeds import host
from flask_permjwt.accounts.feeds.host import HostEpoch, default_path

RAISE = """
import sys
from pathlib import Path
from flask_permjwt.accounts.feeds.host import HostEpoch
epoch = HostEpoch(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    epoch.rise()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.epoch"


def test_one_process_sees_what_another_raised(path):
    ours, theirs = HostEpoch(path), HostEpoch(path)
    ours.look()
    theirs.look()
    assert ours.rise() == 1
    assert theirs.counter[0] == 1
    assert theirs.rise() == 2
    assert ours.counter[0] == 2


def test_no_increment_is_lost_between_processes(path):
    processes = [subprocess.Popen([sys.executable, "-c", RAISE, path, "4000"]) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    epoch = HostEpoch(path)
    epoch.look()
    assert epoch.counter[0] == 16_000


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_no_increment_is_lost_between_forks_of_a_process_that_had_it_open(path):
    epoch = HostEpoch(path)
    epoch.rise()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            for _ in range(2000):
                epoch.rise()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert epoch.counter[0] == 8001


def test_no_increment_is_lost_between_threads(path):
    epoch, begin = HostEpoch(path), Barrier(4)

    def rise(_):
        begin.wait(30)
        return [epoch.rise() for _ in range(1000)]

    with ThreadPoolExecutor(4) as pool:
        risen = [one for found in pool.map(rise, range(4)) for one in found]
    assert sorted(risen) == list(range(1, 4001))


def test_a_thread_that_maps_a_file_late_which_was_replaced_since_has_not_the_last_word(path, monkeypatch):
    epoch, others = HostEpoch(path), HostEpoch(path)
    HostEpoch(path).rise()
    late = path.rename(path.with_suffix(".late"))
    status = os.fstat

    class Status:
        def __init__(self, file):
            self._real = status(file)

        def __getattr__(self, name):
            return getattr(self._real, name)

        @property
        def st_ino(self):
            monkeypatch.undo()
            epoch._map(late)
            return self._real.st_ino

    monkeypatch.setattr(host.os, "fstat", Status)
    epoch.look()
    epoch.rise()
    others.look()
    assert others.counter[0] == 1


def test_the_file_is_its_owners_alone(path):
    HostEpoch(path).rise()
    assert path.stat().st_mode & 0o777 == 0o600


def _symbolic_link(path, tmp_path):
    (tmp_path / "elsewhere").write_bytes(bytes(8))
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")


def _second_name(path, tmp_path):
    (tmp_path / "elsewhere").write_bytes(bytes(8))
    (tmp_path / "elsewhere").chmod(0o600)
    path.hardlink_to(tmp_path / "elsewhere")


def _open_mode(path, tmp_path):
    path.write_bytes(bytes(8))
    path.chmod(0o666)


def _pipe(path, tmp_path):
    os.mkfifo(path, 0o600)


def _folder(path, tmp_path):
    path.mkdir()


@pytest.mark.parametrize("make", [_symbolic_link, _second_name, _open_mode, _pipe, _folder])
def test_a_file_that_others_may_have_made_is_not_used(path, tmp_path, make, caplog):
    make(path, tmp_path)
    epoch = HostEpoch(path)
    for _ in range(3):
        epoch.look()
        assert epoch.rise() == 0
    assert len(caplog.records) == 1
    assert "is not used" in caplog.text
    if (tmp_path / "elsewhere").exists():
        assert (tmp_path / "elsewhere").read_bytes() == bytes(8)


def test_a_file_of_somebody_else_is_not_used(path, monkeypatch, caplog):
    path.write_bytes(bytes(8))
    path.chmod(0o600)
    monkeypatch.setattr(host.os, "geteuid", lambda: os.getuid() + 1)
    assert HostEpoch(path).rise() == 0
    assert "belongs to somebody else" in caplog.text


def test_a_file_that_was_tidied_away_is_made_again_and_found_by_others(path):
    ours, theirs = HostEpoch(path), HostEpoch(path)
    ours.rise()
    theirs.look()
    path.unlink()
    ours.rise()
    before = theirs.counter[0]
    theirs.look()
    ours.rise()
    assert theirs.counter[0] > before


def test_without_a_path_nothing_is_shared():
    epoch = HostEpoch(None)
    epoch.look()
    assert epoch.rise() == 0


def test_a_folder_that_is_not_there_is_no_error(tmp_path, caplog):
    assert HostEpoch(tmp_path / "missing" / "app.epoch").rise() == 0
    assert "is not used" in caplog.text


def test_each_user_and_app_has_a_file_of_its_own():
    one = default_path("app")
    assert one != default_path("other")
    assert str(os.geteuid()) in one.name


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_where_the_disk_is_full_the_interval_holds_and_the_process_lives(path, monkeypatch, caplog, has_fallocate):
    def full(*_):
        raise OSError(28, "No space left on device")

    if has_fallocate:
        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    else:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
        monkeypatch.setattr(os, "pwrite", full)
    epoch = HostEpoch(path)
    epoch.look()
    assert epoch.counter == [0]
    assert "the interval" in caplog.text


def test_without_fallocate_the_file_is_written_to(path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    epoch = HostEpoch(path)
    assert epoch.rise() == 1
    assert path.stat().st_size == 8
