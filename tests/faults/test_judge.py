"""The judge itself: every kind of wrong answer is found, and a right one is not."""

import pytest
from faults.judge import Judge, Outage, Promise
from faults.load import Answer
from faults.machine import Login

PROMISE = Promise(interval=1, max_staleness=10, slack=0.5)
GONE = Outage(began=100, cut=101, ends=120, over=121)


def good():
    return Login("good", "", "")


def changed(fate=401, at=50):
    return Login("changed", "", "", fate=fate, began=at - 0.1, done=at)


def answer(login, sent, status, *, worker="1", retry_after="1", takes=0.01):
    return Answer(login, sent, sent + takes, status, worker, retry_after)


def faults(*answers, outages=(), kills=()):
    return Judge(PROMISE, list(outages), list(kills)).judge(answers).wrong


BEFORE = answer(good(), 99, 200)


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        (answer(good(), 10, 401), "refused without a reason"),
        (answer(good(), 10, 403), "refused without a reason"),
        (answer(changed(401), 60, 403), "refused without a reason"),
        (answer(good(), 10, 500), "an error"),
        (answer(good(), 10, 0), "no answer"),
        (answer(changed(), 49, 401), "refused before the change"),
        (answer(changed(), 51.6, 200), "accepted after the interval"),
        (answer(changed(403), 51.6, 200), "accepted after the interval"),
        (answer(good(), 10, 503), "a 503 although everybody could be asked"),
        (answer(good(), 130, 503), "a 503 although everybody could be asked"),
        (answer(good(), 118, 503, retry_after=None), "a 503 without Retry-After"),
        (answer(good(), 105, 503), "a 503 although the last contact is young"),
        (answer(good(), 111.1, 200), "accepted by what is too old"),
        (answer(good(), 105, 200, worker="2"), "accepted by a worker that knows nothing"),
        (answer(changed(at=105), 124.1, 200), "accepted after the interval"),
    ],
)
def test_what_is_wrong_is_found(one, fault):
    found = faults(BEFORE, one, outages=[GONE])
    assert [line.partition(":")[0] for line in found] == [fault]


@pytest.mark.parametrize(
    "one",
    [
        answer(good(), 10, 200),
        answer(changed(), 51.4, 200),
        answer(changed(), 50, 401),
        answer(changed(403), 60, 403),
        answer(good(), 111, 200),
        answer(good(), 111.2, 503),
        answer(good(), 123, 503),
        answer(good(), 105, 503, worker="2"),
        answer(changed(403, at=100), 102, 503),
        answer(changed(at=105), 110, 200),
    ],
)
def test_what_is_right_is_not(one):
    assert not faults(BEFORE, one, outages=[GONE])


def test_a_worker_that_knew_does_not_forget():
    login = changed()
    early = answer(login, 50.2, 401)
    assert faults(early, answer(login, 50.5, 200)) != []
    assert not faults(early, answer(login, 50.5, 200, worker="2"))


def test_a_killed_worker_owes_the_answer_to_what_it_was_asked():
    assert not faults(answer(good(), 10, 0, takes=1), kills=[10.5])
    assert faults(answer(good(), 12, 0), kills=[10.5])


def test_the_slowest_change_is_told():
    login = changed()
    verdict = Judge(PROMISE).judge([answer(login, 50.3, 200), answer(login, 50.7, 200), answer(login, 50.8, 401)])
    assert verdict.longest == pytest.approx(0.7)
