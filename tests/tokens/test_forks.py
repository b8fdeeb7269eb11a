import gc
import os

import pytest

from flask_permjwt.tokens import forks
from flask_permjwt.tokens.forks import after_fork

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Notes:
    def __init__(self):
        self.forks = 0
        after_fork(self.note)

    def note(self):
        self.forks += 1


def test_what_was_asked_for_is_called_in_the_child_and_not_in_the_parent():
    notes = Notes()
    child = os.fork()
    if not child:
        os._exit(notes.forks)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert notes.forks == 0


def test_all_that_live_are_called_and_one_that_just_went_is_passed_over(monkeypatch):
    first, second, third = Notes(), Notes(), Notes()
    methods = {forks.WeakMethod(one.note) for one in (first, second, third)}
    monkeypatch.setattr(forks, "_methods", methods)
    del third
    forks._call_all()
    assert (len(methods), first.forks, second.forks) == (3, 1, 1)


def test_whose_object_is_gone_is_not_called_and_not_kept():
    before = len(forks._methods)
    notes = [Notes() for _ in range(10)]
    assert len(forks._methods) == before + 10
    del notes
    gc.collect()
    assert len(forks._methods) <= before
    forks._call_all()
