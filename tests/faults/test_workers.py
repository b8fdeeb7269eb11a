"""gunicorn's workers: killed and started again, and told of each other's changes by the host's epoch."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults.load import ask

pytestmark = pytest.mark.postgresql
TRIALS = 60
AT_ONCE = 8


def test_a_worker_that_starts_anew_accepts_nothing_that_was_revoked_before(postgresql, make_scene, verdict_on):
    scene = make_scene(postgresql)
    with scene.load() as load:
        gone = load.add(scene.machine.log_in(8))
        scene.machine.take_from(gone)
        load.go_on(1)
        for worker in load.workers():
            scene.kill(worker)
            load.go_on(0.3)
        load.go_on(0.5)
    verdict = verdict_on(scene, load)
    assert verdict.workers >= 6


def test_a_worker_that_starts_anew_without_a_database_accepts_nothing(postgresql, make_scene, verdict_on):
    scene = make_scene(postgresql, max_staleness=20)
    with scene.load() as load:
        gone = load.add(scene.machine.log_in(4))
        load.go_on(0.5)
        with scene.outage() as outage:
            scene.proxy.refuse()
            outage.cut = time.monotonic()
            scene.machine.take_from(gone)
            for worker in load.workers():
                scene.kill(worker)
            load.go_on(2)
            outage.ends = time.monotonic()
            scene.proxy.open()
        load.go_on(1.5)
    assert verdict_on(scene, load).answers[503] > 20


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("carrier", [None, pytest.param("redis", marks=pytest.mark.redis)])
def test_what_one_worker_does_is_known_to_the_others_with_their_next_request(
    carrier, threads, postgresql, make_scene, request, record_property
):
    """The interval is so long that nothing else can tell them."""
    redis = None if carrier is None else request.getfixturevalue(carrier)
    scene = make_scene(postgresql, redis, threads=threads, interval=60, max_staleness=120)
    [steady, *logins] = scene.machine.log_in(TRIALS + 1)
    missed, told, others, longest = [], 0, 0, 0.0
    # Other requests are under way all the time: they notice the change too, at any moment.
    with scene.load(good=2) as load, ThreadPoolExecutor(AT_ONCE) as pool:
        for login in logins:
            warm = list(pool.map(lambda _: ask(scene.service, steady, "/slow"), range(AT_ONCE)))
            status, by, _ = scene.service.ask("POST", "/auth/logout", login.text)
            assert status == 204
            login.done = time.monotonic()
            answers = list(pool.map(lambda _, one=login: ask(scene.service, one, "/slow"), range(AT_ONCE)))
            missed += [one for one in answers if one.status != 401]
            others += len({one.worker for one in answers} - {by})
            told += len(answers)
            longest = max(longest, *(one.got - login.done for one in answers))
            assert {one.status for one in warm} == {200}
    assert {one.status for one in load.answers} == {200}
    record_property(
        "faults",
        f"{len(logins)} revocations, {told} requests right after them, {others} times by another worker, "
        f"{len(missed)} wrong; longest until it was answered: {longest * 1000:.0f} ms",
    )
    assert not missed, [(one.status, one.worker) for one in missed]
    assert others >= TRIALS / 2


def test_without_the_hosts_epoch_the_others_know_within_the_interval(postgresql, make_scene, verdict_on):
    scene = make_scene(postgresql, epoch_file="off", max_staleness=20)
    with scene.load() as load:
        logins = load.add(scene.machine.log_in(30))
        load.go_on(0.3)
        for login in logins:
            login.fate, login.began = 401, time.monotonic()
            assert scene.service.ask("POST", "/auth/logout", login.text)[0] == 204
            login.done = time.monotonic()
            time.sleep(0.02)
        load.go_on(scene.promise.interval + scene.promise.slack + 0.3)
    assert verdict_on(scene, load).longest > 0
