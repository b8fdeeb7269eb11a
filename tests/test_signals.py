"""Signals: typed payloads, one signal each, and receivers that break nothing."""

import dataclasses
import gc
import inspect
import json
import logging

import pytest
from blinker import NamedSignal

from flask_permjwt import signals
from flask_permjwt.signals import Event

KINDS = [
    kind
    for kind in vars(signals).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
]
SAMPLES = {
    "str": "text",
    "str | None": "text",
    "int": 3,
    "bool": True,
    "tuple[str, ...]": ("a", "b"),
    "float | None": 1.0,
}


def sample(kind):
    """Fill an event with something of each type."""
    return kind(**{one.name: SAMPLES[inspect.formatannotation(one.type)] for one in dataclasses.fields(kind)})


@pytest.fixture
def connected():
    """Connect receivers for one test."""
    made = []

    def connect(signal, receiver):
        signal.connect(receiver, weak=False)
        made.append((signal, receiver))
        return receiver

    yield connect
    for signal, receiver in made:
        signal.disconnect(receiver)


@pytest.fixture
def received(connected):
    """Keep what a signal sends."""

    def keep(signal):
        found = []
        connected(signal, lambda sender, event: found.append((sender, event)))
        return found

    return keep


def test_each_kind_of_event_has_one_signal_of_its_name_and_each_signal_one_event():
    named = {name: value for name, value in vars(signals).items() if isinstance(value, NamedSignal)}
    assert {name: one.name for name, one in named.items()} == {name: name for name in named}
    assert sorted(kind.name for kind in KINDS) == sorted(named)
    assert [kind for kind in KINDS if sample(kind).signal is not named[kind.name]] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_cannot_be_changed_and_its_name_is_that_of_its_class(kind):
    event = sample(kind)
    for field in (*(one.name for one in dataclasses.fields(kind)), "anything"):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
            setattr(event, field, None)
    assert kind.name.replace("_", "") == kind.__name__.casefold()
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_detail_is_json_and_says_what_only_this_kind_says(kind):
    event = sample(kind)
    common = {one.name for one in dataclasses.fields(Event)}
    own = {one.name for one in dataclasses.fields(kind)} - common
    assert set(event.detail()) == own
    assert json.loads(json.dumps(event.detail())) == event.detail()
    assert len(common) == 6


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_event_has_a_field_for_a_secret(kind):
    names = {one.name for one in dataclasses.fields(kind)}
    assert not [
        name for name in names if any(word in name for word in ("password", "token", "hash", "code", "secret"))
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_receivers_are_called_with_the_app_and_the_event(kind, received):
    event, app = sample(kind), object()
    found = received(event.signal)
    signals.send(app, event)
    assert found == [(app, event)]


def test_a_receiver_may_ask_for_the_events_of_one_app(connected):
    one, other, found = object(), object(), []
    receiver = connected(signals.refreshed, lambda sender, event: None)
    signals.refreshed.disconnect(receiver)

    def only(sender, event):
        found.append(sender)

    signals.refreshed.connect(only, sender=one)
    signals.send(one, signals.Refreshed())
    signals.send(other, signals.Refreshed())
    signals.refreshed.disconnect(only, sender=one)
    assert found == [one]


def test_a_receiver_that_raises_is_logged_without_its_words_and_the_others_are_called(connected, received, caplog):
    def fail(sender, event):
        raise ValueError("marked secret")

    before, _, after = received(signals.refreshed), connected(signals.refreshed, fail), received(signals.refreshed)
    signals.send(None, signals.Refreshed())
    assert len(before) == len(after) == 1
    [record] = caplog.records
    assert (record.name, record.levelno) == ("flask_permjwt.signals", logging.ERROR)
    assert "fail, a receiver of refreshed, failed: ValueError" in caplog.text
    assert f"{__file__}:{fail.__code__.co_firstlineno + 1} in fail" in caplog.text
    assert record.exc_info is None
    assert "marked" not in caplog.text


def test_a_coroutine_is_no_receiver_and_is_told_so_in_the_log(connected, received, caplog):
    async def receive(sender, event):
        """Never awaited."""

    connected(signals.refreshed, receive)
    found = received(signals.refreshed)
    signals.send(None, signals.Refreshed())
    gc.collect()
    assert len(found) == 1
    assert "receive, a receiver of refreshed, failed: TypeError" in caplog.text


def test_a_muted_signal_is_not_sent(received):
    found = received(signals.refreshed)
    with signals.refreshed.muted():
        signals.send(None, signals.Refreshed())
    assert found == []


def test_a_receiver_may_disconnect_itself(connected, received):
    found = []

    def once(sender, event):
        found.append(event)
        signals.refreshed.disconnect(once)

    connected(signals.refreshed, once)
    others = received(signals.refreshed)
    for _ in range(2):
        signals.send(None, signals.Refreshed())
    assert (len(found), len(others)) == (1, 2)


def test_what_stops_the_process_is_not_swallowed(connected):
    def stop(sender, event):
        raise KeyboardInterrupt

    connected(signals.refreshed, stop)
    with pytest.raises(KeyboardInterrupt):
        signals.send(None, signals.Refreshed())
