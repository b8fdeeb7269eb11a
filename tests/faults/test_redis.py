"""Redis, whatever happens to it: the database is the truth, and nobody is refused or accepted wrongly.

The database is asked in any case every five seconds here, which is longer than what is judged: what is seen within
the interval was seen because the fault was noticed.
"""

import time

import pytest

pytestmark = [pytest.mark.redis, pytest.mark.postgresql]


def stop(scene, redis):
    redis.stop()
    return redis.start


def stop_for_a_moment(scene, redis):
    redis.stop()
    redis.start()


def flush(scene, redis):
    redis.flush()


def make_read_only(scene, redis):
    redis.set_read_only(True)
    return lambda: redis.set_read_only(False)


def fill(scene, redis):
    redis.call("CONFIG", "SET", "maxmemory", "1")
    return lambda: redis.call("CONFIG", "SET", "maxmemory", "0")


def drop_sockets(scene, redis):
    scene.carrier.drop()


def swallow(scene, redis):
    scene.carrier.swallow()
    return lambda: (scene.carrier.refuse(), scene.carrier.open())


@pytest.mark.parametrize("fault", [stop, stop_for_a_moment, flush, make_read_only, fill, drop_sockets, swallow])
def test_whatever_happens_to_redis_nobody_is_refused_and_nothing_is_missed(
    fault, postgresql, redis, make_scene, verdict_on
):
    scene = make_scene(postgresql, redis, max_staleness=20)
    with scene.load() as load:
        before, during, after = (load.add(scene.machine.log_in(4)) for _ in range(3))
        scene.machine.take_from(before)
        load.go_on(0.3)
        mend = fault(scene, redis)
        try:
            scene.machine.take_from(during)
            load.go_on(scene.promise.interval + scene.promise.slack + 0.2)
        finally:
            if mend is not None:
                mend()
        scene.machine.take_from(after)
        load.go_on(1)
    assert verdict_on(scene, load).answers[503] == 0


def test_another_redis_that_takes_over_with_other_data_is_noticed(
    start_server, postgresql, redis, make_scene, verdict_on
):
    """It was the same once, and went its own way: what its stream lacks is found in the database."""
    other = start_server("redis", fresh=True)
    scene = make_scene(postgresql, redis, max_staleness=20)
    with scene.load() as load:
        before, during = (load.add(scene.machine.log_in(4)) for _ in range(2))
        scene.machine.take_from(before)
        load.go_on(0.3)
        # Still told to the one that is left, which dies with it.
        scene.carrier.refuse()
        scene.machine.take_from(during)
        scene.carrier.open(other.port)
        load.go_on(scene.promise.interval + scene.promise.slack + 0.3)
        scene.carrier.open(redis.port)
    assert verdict_on(scene, load).answers[503] == 0


def test_while_redis_carries_changes_the_database_may_be_away_for_a_moment(
    postgresql, redis, make_scene, verdict_on
):
    scene = make_scene(postgresql, redis, max_staleness=20)
    with scene.load() as load:
        during = load.add(scene.machine.log_in(2))
        load.go_on(0.3)
        with scene.outage() as outage:
            scene.proxy.refuse()
            outage.cut = outage.ends = time.monotonic()
            scene.machine.end_session(during[0])
            scene.machine.revoke_token(during[1])
            load.go_on(1)
            scene.proxy.open()
        load.go_on(1)
    assert verdict_on(scene, load).answers[503] == 0
