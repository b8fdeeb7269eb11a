"""A database that is stopped, restarted, made read-only, cut off or replaced, under a steady load."""

import time

import pytest


def test_a_database_that_is_stopped_and_started_again(database, make_scene, verdict_on):
    """Requests go on for the allowed time, are refused with 503 after it, and pass again when it is back."""
    scene = make_scene(database)
    with scene.load() as load:
        gone = load.add(scene.machine.log_in(4))
        later = load.add(scene.machine.log_in(4))
        scene.machine.take_from(gone)
        load.go_on(scene.promise.interval)
        with scene.outage() as outage:
            database.stop()
            outage.cut = time.monotonic()
            load.go_on(scene.promise.max_staleness + 0.8)
            outage.ends = time.monotonic()
            database.start()
        load.go_on(1)
        scene.machine.take_from(later)
        load.go_on(scene.promise.interval + 0.5)
    verdict = verdict_on(scene, load)
    assert verdict.answers[503] > 20
    assert verdict.answers[200] > 100


def test_a_database_that_is_restarted_refuses_nobody(database, make_scene, verdict_on):
    scene = make_scene(database, max_staleness=20)
    with scene.load() as load:
        gone, later = load.add(scene.machine.log_in(4)), load.add(scene.machine.log_in(4))
        scene.machine.take_from(gone)
        load.go_on(0.5)
        with scene.outage() as outage:
            database.stop()
            outage.cut = outage.ends = time.monotonic()
            database.start()
        scene.machine.take_from(later)
        load.go_on(1.5)
    verdict = verdict_on(scene, load)
    assert verdict.answers[503] < 20


def test_a_database_that_takes_no_writes_refuses_nobody(database, make_scene, verdict_on):
    """Denials cannot be written down then, and are denials all the same."""
    scene = make_scene(database)
    with scene.load() as load:
        gone, later = load.add(scene.machine.log_in(4)), load.add(scene.machine.log_in(4))
        scene.machine.take_from(gone)
        database.set_read_only(True)
        try:
            load.go_on(scene.promise.max_staleness + 0.5)
            with pytest.raises(Exception, match=r"(?i)read.only"):
                scene.machine.disable(scene.machine.log_in()[0])
        finally:
            database.set_read_only(False)
        scene.machine.take_from(later)
        load.go_on(scene.promise.interval + 0.5)
    assert verdict_on(scene, load).answers[503] == 0


def test_sockets_that_are_dropped_refuse_nobody(database, make_scene, verdict_on):
    scene = make_scene(database)
    with scene.load() as load:
        for _ in range(6):
            changed = load.add(scene.machine.log_in(2))
            with scene.outage() as outage:
                scene.proxy.drop()
                outage.cut = outage.ends = time.monotonic()
            scene.machine.take_from(changed)
            load.go_on(0.3)
        load.go_on(scene.promise.interval + 0.7)
    verdict_on(scene, load)


def test_workers_that_are_cut_off_know_what_was_changed_meanwhile_as_soon_as_they_are_back(
    database, make_scene, verdict_on
):
    scene = make_scene(database)
    with scene.load() as load:
        gone = load.add(scene.machine.log_in(4))
        load.go_on(0.3)
        with scene.outage() as outage:
            scene.proxy.refuse()
            outage.cut = time.monotonic()
            scene.machine.take_from(gone)
            load.go_on(scene.promise.max_staleness + 0.8)
            outage.ends = time.monotonic()
            scene.proxy.open()
        load.go_on(1.5)
    assert verdict_on(scene, load).answers[503] > 20


def test_a_network_that_swallows_everything_is_left_by_time_outs(database, make_scene, verdict_on):
    """PostgreSQL's driver has none for reading: there, a worker needs more threads than the one that hangs."""
    scene = make_scene(database, threads=6)
    with scene.load() as load:
        gone = load.add(scene.machine.log_in(4))
        load.go_on(0.3)
        with scene.outage() as outage:
            scene.proxy.swallow()
            outage.cut = time.monotonic()
            scene.machine.take_from(gone)
            load.go_on(scene.promise.max_staleness + 1)
            outage.ends = time.monotonic()
            # What was swallowed is lost: the network says so when it is back.
            scene.proxy.refuse()
            scene.proxy.open()
        load.go_on(1.5)
    verdict = verdict_on(scene, load)
    assert verdict.answers[503] > 20
    slow = [one.got - one.sent for one in load.answers]
    assert sorted(slow)[len(slow) // 2] < 1


@pytest.mark.postgresql
def test_a_standby_that_takes_over_goes_on_with_what_was_revoked(
    start_server, make_folder, make_scene, verdict_on
):
    primary = start_server("postgresql", fresh=True)
    scene = make_scene(primary, max_staleness=20)
    with scene.load() as load:
        gone, later = load.add(scene.machine.log_in(4)), load.add(scene.machine.log_in(4))
        standby = primary.standby(make_folder())
        try:
            scene.machine.take_from(gone)
            load.go_on(1)
            wait_until(lambda: standby.has_all_of(primary))
            with scene.outage() as outage:
                primary.stop()
                outage.cut = outage.ends = time.monotonic()
                standby.promote()
                scene.proxy.open(standby.port)
            scene.machine_at(standby).take_from(later)
            load.go_on(1.5)
        finally:
            standby.stop()
    verdict_on(scene, load)


def wait_until(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)
