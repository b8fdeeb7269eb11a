import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from flask_permjwt.web.living import Living


class Thing:
    pass


def test_what_lives_is_listed_once_and_what_is_gone_is_not_kept():
    living, things = Living(), [Thing() for _ in range(5)]
    for thing in [*things, *things]:
        living.add(thing)
    assert sorted(map(id, living.all())) == sorted(map(id, things))
    del things[1:], thing
    gc.collect()
    assert living.all() == things
    assert len(living._references) == 1


def test_listing_meets_no_thread_that_adds_and_lets_go():
    living, kept, over = Living(), [Thing() for _ in range(50)], Event()
    for one in kept:
        living.add(one)

    def come_and_go():
        while not over.is_set():
            things = [Thing() for _ in range(20)]
            for thing in things:
                living.add(thing)

    def list_often():
        return all(set(kept) <= set(living.all()) for _ in range(2000))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            pool.submit(come_and_go)
        listed = [pool.submit(list_often) for _ in range(2)]
        try:
            assert [one.result(60) for one in listed] == [True, True]
        finally:
            over.set()
