"""The judge: which answers of a load were wrong. Pure.

Nothing is accepted that it was too late to accept, and nothing refused that should pass. A worker's contact with
the feed lies between what its own answers prove and the moment when the feed was taken away, so that both sides
can be judged strictly; room is left only where threads of a busy machine may have been kept from running.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from faults.load import Answer
from faults.machine import Login

_RETRY = 0.5
"""Seconds that the library waits between attempts while nobody answers."""

_DYING = 0.5
"""Seconds that a killed worker may take to be gone."""

_TIME_OUT = 1.0
"""Seconds for which an attempt that began before the end of an outage may still be under way."""


@dataclass
class Outage:
    """When nobody could be asked.

    Attributes:
        began: before it was begun.
        cut: when the last contact was over.
        ends: before the end was begun.
        over: when everybody could be asked again.
    """

    began: float
    cut: float = float("inf")
    ends: float = float("inf")
    over: float = float("inf")


@dataclass(frozen=True)
class Promise:
    """What was promised, in seconds.

    Attributes:
        interval: ``PERMJWT_REVOCATION_INTERVAL``.
        max_staleness: ``PERMJWT_REVOCATION_MAX_STALENESS``.
        slack: what a busy machine may take longer.
    """

    interval: float
    max_staleness: float
    slack: float = 1.0

    @property
    def recovery(self) -> float:
        """From the end of an outage until everybody must have asked again."""
        return _RETRY + _TIME_OUT + self.interval + self.slack


@dataclass
class Verdict:
    """What the load has shown.

    Attributes:
        answers: how many there were, by status.
        wrong: each with what is wrong about it.
        longest: how long, in seconds after its commit, the slowest change was still unknown to somebody.
        workers: how many processes answered.
    """

    answers: Counter[int]
    wrong: list[str]
    longest: float
    workers: int


@dataclass
class Judge:
    """Judges answers by what happened meanwhile.

    Attributes:
        promise: what must hold.
        outages: when nobody could be asked.
        kills: when workers were killed.
    """

    promise: Promise
    outages: list[Outage] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)

    def judge(self, answers: Sequence[Answer]) -> Verdict:
        """Judge the answers of one load."""
        self._sent: dict[str | None, list[float]] = {}
        self._knew: dict[tuple[str | None, int], float] = {}
        for one in sorted(answers, key=lambda one: one.sent):
            if one.status not in {0, 503}:
                self._sent.setdefault(one.worker, []).append(one.sent)
            if one.status == one.login.fate != 200:
                key = one.worker, id(one.login)
                self._knew[key] = min(one.got, self._knew.get(key, float("inf")))
        return Verdict(
            answers=Counter(one.status for one in answers),
            wrong=[f"{fault}: {_told(one)}" for one in answers for fault in self._faults(one)],
            longest=max((one.sent - one.login.done for one in answers if _is_late(one)), default=0.0),
            workers=len(self._sent),
        )

    def _faults(self, one: Answer) -> Iterator[str]:
        if one.status == 200:
            yield from self._faults_of_acceptance(one)
        elif one.status == 503:
            yield from self._faults_of_delay(one)
        elif one.status in {401, 403}:
            if one.status != one.login.fate:
                yield "refused without a reason"
            elif one.got < one.login.began:
                yield "refused before the change"
        elif one.status != 0:
            yield "an error"
        elif not any(kill <= one.got and one.sent <= kill + _DYING for kill in self.kills):
            yield "no answer"

    def _faults_of_acceptance(self, one: Answer) -> Iterator[str]:
        for outage in self.outages:
            if one.got < outage.ends:
                if one.sent > outage.cut + self.promise.max_staleness:
                    yield "accepted by what is too old"
                if one.sent > outage.cut and self._last_before(one.worker, outage.cut) is None:
                    yield "accepted by a worker that knows nothing"
        if one.sent > self._deadline(one.login):
            yield "accepted after the interval"
        if one.sent > self._knew.get((one.worker, id(one.login)), float("inf")):
            yield "accepted by a worker that knew better"

    def _faults_of_delay(self, one: Answer) -> Iterator[str]:
        if not one.retry_after:
            yield "a 503 without Retry-After"
        outage = self._outage_around(one)
        if outage is None:
            yield "a 503 although everybody could be asked"
            return
        if one.login.fate == 403 and one.login.began < one.got:
            return  # what the user may still do cannot be read
        last = self._last_before(one.worker, outage.began)
        if last is not None:
            contact = last - self.promise.interval - self.promise.slack
            if one.got < contact + self.promise.max_staleness:
                yield "a 503 although the last contact is young"

    def _outage_around(self, one: Answer) -> Outage | None:
        for outage in self.outages:
            if one.got >= outage.began and one.sent <= outage.over + self.promise.recovery:
                return outage
        return None

    def _last_before(self, worker: str | None, moment: float) -> float | None:
        sent = self._sent.get(worker, [])
        place = bisect_left(sent, moment)
        return sent[place - 1] if place else None

    def _deadline(self, login: Login) -> float:
        deadline = login.done + self.promise.interval + self.promise.slack
        for outage in self.outages:
            if outage.began < deadline and outage.over + self.promise.recovery > login.done:
                until = min(outage.cut + self.promise.max_staleness, outage.over + self.promise.recovery)
                deadline = max(deadline, until)
        return deadline


def _is_late(one: Answer) -> bool:
    return one.status == 200 and one.login.fate != 200 and one.sent > one.login.done


def _told(one: Answer) -> str:
    change = (
        ""
        if one.login.fate == 200
        else f", {one.sent - one.login.done:+.3f} s after its change to {one.login.fate}"
    )
    return f"{one.status} to {one.login.name} by {one.worker}{change}, at {one.sent:.3f}..{one.got:.3f}"
