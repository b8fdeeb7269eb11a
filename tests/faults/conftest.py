"""Servers of our own, to be broken: made once, and brought back to what they were by every test."""

import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest
from faults.judge import Judge, Outage, Promise
from faults.load import Load
from faults.machine import Machine
from faults.proxy import Proxy
from faults.servers import MariaDB, MissingBinaryError, PostgreSQL, Redis
from faults.service import Service

_KINDS = {one.kind: one for one in (PostgreSQL, MariaDB, Redis)}
_numbers = count(1)


@pytest.fixture(scope="session")
def start_server(missing_server):
    """Return a server of a kind: one for all tests of the session, or a fresh one."""
    with ExitStack() as stack:
        kept = {}

        def start(kind, *, fresh=False):
            if kind in kept and not fresh:
                return kept[kind]
            folder = _folder(stack)
            try:
                server = _KINDS[kind](folder)
            except MissingBinaryError as error:
                missing_server(kind, str(error))
            server.prepare()
            stack.callback(server.stop)
            server.start()
            if not fresh:
                kept[kind] = server
            return server

        yield start


@pytest.fixture
def make_folder():
    """Return a new folder that any user may enter, as the servers' users are others."""
    with ExitStack() as stack:
        yield lambda: _folder(stack)


def _folder(stack):
    folder = Path(tempfile.mkdtemp(prefix="permjwt-faults-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def database(request, start_server):
    return start_server(request.param)


@pytest.fixture
def postgresql(start_server):
    return start_server("postgresql")


@pytest.fixture
def redis(start_server):
    pytest.importorskip("redis")
    server = start_server("redis")
    server.flush()
    return server


class Scene:
    """Workers of one machine behind proxies, another machine, and a load.

    Attributes:
        proxy: between the workers and the database.
        carrier: between the workers and Redis, where there is one.
        machine: the other machine, straight at the servers.
        service: gunicorn with the workers.
        judge: knows what was promised, and is told what happens.
    """

    def __init__(self, stack, folder, database, redis, *, workers=3, threads=1, **settings):
        settings = {"interval": 0.2, "max_staleness": 1.5, "epoch_file": str(folder / "epoch"), **settings}
        config = {f"PERMJWT_REVOCATION_{name.upper()}": value for name, value in settings.items()}
        name = f"faults{next(_numbers)}"
        database.new_database(name)
        self.database = database
        self.proxy = Proxy(database.port)
        stack.callback(self.proxy.close)
        theirs, ours = dict(config), dict(config)
        self.carrier = None
        if redis is not None:
            self.carrier = Proxy(redis.port)
            stack.callback(self.carrier.close)
            theirs["PERMJWT_REVOCATION_URL"] = redis.url(self.carrier.port)
            ours["PERMJWT_REVOCATION_URL"] = redis.url()
        self._stack, self._name, self._settings = stack, name, ours
        self.machine = self.machine_at(database)
        self.service = Service(
            database.url(name, self.proxy.port), theirs, folder / "log", workers=workers, threads=threads
        )
        stack.callback(self.service.close)
        self.promise = Promise(settings["interval"], settings["max_staleness"])
        self.judge = Judge(self.promise)

    def machine_at(self, database):
        """Return the other machine, at a server that has taken over."""
        machine = Machine(database.url(self._name), self._settings)
        self._stack.callback(machine.close)
        return machine

    @contextmanager
    def load(self, good=4):
        """Load the workers with tokens that stay good and those that are added, until the block ends."""
        with Load(self.service, self.machine.log_in(good)) as load:
            load.go_on(0.5)
            yield load

    @contextmanager
    def outage(self):
        """Note when nobody can be asked: until the end of the block, unless ``ends`` is said before."""
        outage = Outage(time.monotonic())
        self.judge.outages.append(outage)
        yield outage
        outage.over = time.monotonic()
        outage.ends = min(outage.ends, outage.over)

    def kill(self, worker):
        self.judge.kills.append(time.monotonic())
        self.service.kill(worker)


@pytest.fixture(scope="session")
def scenes(start_server):
    """It asks for ``start_server`` so that scenes are over before their servers are."""
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def make_scene(scenes):
    """Return a scene: that of an earlier test where it was the same, with its fault mended."""
    stack, made = scenes

    def make(database, redis=None, **options):
        key = database, redis, *sorted(options.items())
        if key not in made:
            made[key] = Scene(stack, _folder(stack), database, redis, **options)
        made[key].judge = Judge(made[key].promise)
        return made[key]

    return make


@pytest.fixture
def verdict_on(record_property):
    """Judge a load: nothing may be wrong. Its figures are shown at the end of the run."""

    def judge(scene, load):
        verdict = scene.judge.judge(load.answers)
        figures = ", ".join(f"{number} x {status}" for status, number in sorted(verdict.answers.items()))
        record_property(
            "faults",
            f"{sum(verdict.answers.values())} requests ({figures}) by {verdict.workers} workers, "
            f"{len(verdict.wrong)} wrong; longest until a change was known: {verdict.longest * 1000:.0f} ms",
        )
        assert not verdict.wrong, "\n".join(verdict.wrong[:20])
        assert verdict.workers > 1, "one worker answered everything"
        for login in load.logins:
            seen = {one.status for one in load.answers if one.login is login}
            assert login.fate in seen, f"{login.name} was never answered {login.fate}"
        return verdict

    return judge


def pytest_terminal_summary(terminalreporter):
    """Show what the loads have shown, also when other processes ran the tests."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, ())]
    told = [
        (one.nodeid.rpartition("::")[2], value)
        for one in reports
        if one.when == "call"
        for name, value in one.user_properties
        if name == "faults"
    ]
    if told:
        terminalreporter.section("fault tests")
    for name, figures in told:
        terminalreporter.line(f"{name}: {figures}")
