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
    ],
)
def test_workers_are_what_the_servers_are_told(environment, workers):
    assert workers_of(environment) == workers
