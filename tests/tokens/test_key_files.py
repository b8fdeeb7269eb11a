"""Key files: private, written whole or not at all, and refused when others can read them."""

import json
import multiprocessing
import os
import stat
import time
from dataclasses import replace

import pytest

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens import key_files
from flask_permjwt.tokens.jwk import whole_jwk
from flask_permjwt.tokens.key_files import KeyDirectory, read_private_file, write_private_file
from flask_permjwt.tokens.lifecycle import ManagedKey
from flask_permjwt.tokens.pairs import generate

KEY = generate("EdDSA")
MANAGED = ManagedKey(KEY, signs_from=100.5, created_at=50.0, tokens_last=900.0)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def directory(folder):
    return KeyDirectory(folder)


def put(folder, name="key.json", text=None, mode=0o600):
    path = folder / name
    path.write_text(json.dumps(whole_jwk(KEY)) if text is None else text)
    path.chmod(mode)
    return path


def test_what_is_written_is_read_back(directory, folder):
    directory.write(MANAGED)
    [read] = directory.read()
    assert read == ManagedKey(KEY, 100.5, 50.0, None, None, 900.0, f"{KEY.kid}.json")
    changed = ManagedKey(KEY, 100.5, 50.0, 200.0, 300.0, 900.0, read.name)
    directory.write(changed)
    assert directory.read() == (changed,)
    assert [path.name for path in folder.iterdir()] == [f"{KEY.kid}.json"]
    directory.remove(changed)
    directory.remove(changed)
    assert directory.read() == ()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_files_are_private_whatever_the_umask(directory, folder, mask):
    before = os.umask(mask)
    try:
        directory.write(MANAGED)
        with directory.locked():
            pass
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.json")} == {0o600}
    assert stat.S_IMODE((folder / ".lock").stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777])
def test_a_file_that_is_open_to_others_is_refused_and_named(directory, folder, mode):
    path = put(folder, mode=mode)
    with pytest.raises(ConfigurationError, match="open to others: chmod 600") as caught:
        directory.read()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
def test_a_directory_that_others_can_write_is_refused(directory, folder, mode):
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match="can be written by others"):
        directory.read()


def test_what_belongs_to_somebody_else_is_refused(directory, folder, monkeypatch):
    put(folder)
    monkeypatch.setattr(key_files, "_trusted", lambda _=None: frozenset({os.geteuid() + 1}))
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        directory.read()
    with pytest.raises(ConfigurationError, match=r"key\.json belongs to somebody else"):
        read_private_file(folder / "key.json")


@pytest.mark.parametrize(
    ("own", "owner", "trusted"), [(0, 33, {0, 33}), (1000, 33, {0, 1000}), (0, None, {0}), (1000, None, {0, 1000})]
)
def test_root_trusts_the_owner_of_the_directory_and_others_root_and_themselves(own, owner, trusted, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: own)
    about = None if owner is None else os.stat_result((0o40700, 0, 0, 0, owner, 0, 0, 0, 0, 0))
    assert key_files._trusted(about) == trusted


@pytest.mark.parametrize("own", [0, 1000])
def test_what_root_writes_belongs_to_whom_the_directory_belongs_to(directory, own, folder, monkeypatch):
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: own)
    monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
    directory.write(MANAGED)
    with directory.locked():
        pass
    about = folder.stat()
    assert given == ([(about.st_uid, about.st_gid)] * 2 if own == 0 else [])


def test_a_plain_jwk_signs_from_when_it_was_put_there(directory, folder):
    path = put(folder)
    os.utime(path, (500, 500))
    [one] = directory.read()
    assert (one.signs_from, one.created_at, one.key, one.name) == (500, 500, KEY, "key.json")
    os.utime(path, (600, 600))
    assert directory.read()[0].signs_from == 600


def test_other_files_are_not_looked_at(directory, folder):
    for name in (".hidden.json", "README.md", "key.json.bak", ".lock"):
        put(folder, name, "nonsense", 0o644)
    assert directory.read() == ()


def test_a_file_that_did_not_change_is_not_parsed_again(directory, folder, monkeypatch):
    put(folder)
    [one] = directory.read()
    monkeypatch.setattr(key_files, "read_jwk", None)
    assert directory.read()[0] is one


def times(**values):
    return json.dumps({**whole_jwk(KEY), "permjwt": values})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "JSON object"),
        ("{", "JSON object"),
        ('{"kty": "oct", "k": "AAAA", "alg": "HS256"}', "at least 32 bytes"),
        (times(), "must hold signs_from"),
        (times(signs_from=1, until=2), "must hold signs_from"),
        (times(signs_from="now"), "signs_from must be a number"),
        (times(signs_from=1.78e12), "up to the year 9999"),
        (times(signs_from=10**400), "up to the year 9999"),
        (times(signs_from=float("nan")), "JSON object"),
        (times(signs_from=1, tokens_last=-1), "up to the year 9999"),
        (times(signs_from=True), "signs_from must be a number"),
        (json.dumps({**whole_jwk(KEY), "permjwt": 5}), "must hold signs_from"),
        (" " * 70_000, "larger than 64 KiB"),
    ],
)
def test_a_damaged_file_is_named_and_not_shown(directory, folder, text, match):
    path = put(folder, text=text)
    with pytest.raises(ConfigurationError, match=match) as caught:
        directory.read()
    assert str(path) in str(caught.value)
    assert whole_jwk(KEY)["d"] not in str(caught.value)


def test_two_files_of_one_name_are_refused_and_both_are_named(directory, folder):
    one, other = put(folder), put(folder, "backup.json")
    with pytest.raises(ConfigurationError, match="hold keys of one name") as caught:
        directory.read()
    assert str(one) in str(caught.value)
    assert str(other) in str(caught.value)


@pytest.mark.parametrize("last", ["a.json", "z.json"])
def test_of_two_files_of_one_name_each_can_stop_the_key_in_a_process_that_runs(directory, folder, last):
    put(folder, text=times(signs_from=5))
    before = directory.read()
    faults = []
    put(folder, last, times(signs_from=9, void_at=20, retired_at=10))
    [one] = directory.read(faults.append)
    assert len(faults) == 1
    assert one == replace(before[0], void_at=20, retired_at=10)


def test_a_file_that_is_damaged_later_is_told_of_and_stays_what_it_was(directory, folder):
    put(folder)
    before = directory.read()
    faults = []
    put(folder, text="{}")
    put(folder, "a.json", "{}")
    put(folder, "z.json", json.dumps(whole_jwk(generate("HS256"))))
    first, second = directory.read(faults.append)
    assert (first, second.name) == (before[0], "z.json")
    assert [name in str(fault) for name, fault in zip(("a.json", "key.json"), faults, strict=True)] == [True, True]


def test_a_file_that_the_directorys_owner_may_not_be_able_to_read_is_refused_by_commands(directory, folder):
    path = put(folder)
    owner = folder.stat().st_uid
    assert directory.read(of_owner=True)
    if owner != 0:
        pytest.skip("needs root")
    os.chown(path, 65534, 65534)
    os.chown(folder, 65533, 65533)
    with pytest.raises(ConfigurationError, match=r"chown 65533 \(the directory's owner\)"):
        directory.read(of_owner=True)


def test_what_is_no_file_is_refused_without_waiting(directory, folder):
    os.mkfifo(folder / "pipe.json", 0o600)
    with pytest.raises(ConfigurationError, match="no regular file"):
        directory.read()


def test_what_cannot_be_opened_is_named(folder, tmp_path):
    (folder / "loop.json").symlink_to("loop.json")
    with pytest.raises(ConfigurationError, match="symbolic links"):
        KeyDirectory(folder).read()
    with pytest.raises(ConfigurationError, match="no such file"):
        KeyDirectory(tmp_path / "nowhere").read()


def test_a_file_that_goes_while_we_look_is_not_there(folder, directory):
    (folder / "gone.json").symlink_to("nowhere")
    assert directory.read() == ()


def test_what_could_not_be_written_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    path = folder / "key.json"
    write_private_file(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in folder.iterdir()] == ["key.json"]


def test_a_kid_that_is_no_file_name_does_not_become_one(directory, folder):
    directory.write(replace(MANAGED, key=replace(KEY, kid="../../etc/passwd")))
    assert [path.name for path in folder.iterdir()] == [f"{KEY.kid}.json"]
    assert directory.read()[0].key.kid == "../../etc/passwd"


def _hold(path, taken, seconds):
    with KeyDirectory(path).locked():
        taken.set()
        time.sleep(seconds)


def test_two_who_change_keys_wait_for_each_other(directory, folder):
    context = multiprocessing.get_context("fork")
    taken = context.Event()
    other = context.Process(target=_hold, args=(folder, taken, 0.3))
    other.start()
    assert taken.wait(10)
    began = time.monotonic()
    with directory.locked():
        waited = time.monotonic() - began
    other.join(10)
    assert waited > 0.1
