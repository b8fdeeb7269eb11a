"""The host: file systems by the mounts, workers by the environment."""

from pathlib import Path

import pytest

from flask_permjwt.cli.doctor.host import network_mount, workers_of

MOUNTS = """\
overlay / overlay rw 0 0
tmpfs /run tmpfs rw 0 0
server:/export /srv/shared nfs4 rw 0 0
server:/with\\040space /srv/with\\040space cifs rw 0 0
/dev/sdb1 /srv/shared/local ext4 rw 0 0
a@b:/ /srv/far fuse.sshfs rw 0 0
server:/x /srv/hidden nfs rw 0 0
/dev/sdc1 /srv/hidden ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/app.db", None),
        ("/run/x.epoch", None),
        ("/srv/shared/app.db", "nfs4"),
        ("/srv/shared/local/app.db", None),
        ("/srv/sharedness/app.db", None),
        ("/srv/with space/app.db", "cifs"),
        ("/srv/far/app.db", "fuse.sshfs"),
        ("/srv/hidden/app.db", None),
    ],
)
def test_the_nearest_mount_counts_and_of_one_place_the_last(path, kind):
    assert network_mount(Path(path), MOUNTS) == kind
    assert network_mount(Path(path), "") is None


@pytest.mark.parametrize(
    ("environment", "workers"),
    [
        ({}, None),
        ({"WEB_CONCURRENCY": "3"}, 3),
        ({"WEB_CONCURRENCY": "many"}, None),
        ({"GUNICORN_CMD_ARGS": "--bind=:8000 --workers=4"}, 4),
        ({"GUNICORN_CMD_ARGS": "-w 2", "WEB_CONCURRENCY": "3"}, 2),
        ({"GUNICORN_CMD_ARGS": "--workers 5 -t 3"}, 5),
        ({"GUNICORN_CMD_ARGS": "--no-workers-here"}, None),
        ({"GUNICORN_CMD_ARGS": "-w 2 --worker-class gthread --workers '5'"}, 5),
        ({"GUNICORN_CMD_ARGS": "-w many", "WEB_CONCURRENCY": "3"}, None),
        ({"GUNICORN_CMD_ARGS": "--workers"}, None),
        ({"GUNICORN_CMD_ARGS": "'"}, None),
    ],
)
def test_workers_are_what_the_servers_are_told(environment, workers, tmp_path):
    assert workers_of(environment, tmp_path) == workers


@pytest.mark.parametrize(
    ("text", "workers"),
    [
        ("bind = ':8000'\nworkers = 4\n", 4),
        ("import os\nworkers = os.cpu_count()", None),
        ("workers = '4'", None),
        ("threads = 8", 3),
        ("workers = = 4", 3),
        ("raise SystemExit", 3),
    ],
)
def test_the_file_of_gunicorn_is_read_and_not_run(text, workers, tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text(text)
    assert workers_of({"WEB_CONCURRENCY": "3"}, tmp_path) == workers
    assert workers_of({"GUNICORN_CMD_ARGS": "-w 2"}, tmp_path) == 2
    (tmp_path / "gunicorn.conf.py").rename(tmp_path / "other.py")
    assert workers_of({"GUNICORN_CMD_ARGS": "--config other.py", "WEB_CONCURRENCY": "3"}, tmp_path) == workers
    assert workers_of({"WEB_CONCURRENCY": "3"}, tmp_path) == 3
