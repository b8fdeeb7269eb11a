"""The machinery of the benchmarks, on this library alone and with tiny counts; times are never asserted."""

import json
import os
import shutil
from contextlib import ExitStack

import pytest
from rich.console import Console

from benchmarks import imports, instructions, login, report, revocations, rounds, spread
from benchmarks.case import Case, Exchange, LeftOut, Place
from benchmarks.contestants import load
from benchmarks.figures import summarise
from benchmarks.results import Results
from benchmarks.targets import TARGETS, judge


@pytest.fixture
def place(tmp_path):
    with ExitStack() as closing:
        yield Place(tmp_path, closing, many=20)


def test_a_run_gives_figures_verdicts_and_json(place, tmp_path):
    results = Results()
    cases = load(place, results.left_out.append, {"flask", "permjwt"})
    told = []
    results.figures = rounds.measure(cases, 0, told.append)
    assert told[-1] == 1
    assert {"flask/itself", "permjwt/header", "permjwt/cookie", "permjwt/cold"} <= set(results.figures)

    results.write(tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert set(written) == {"made_at", "seconds", "machine", "versions", "figures", "targets", "left_out"}
    assert written["versions"]["flask-permjwt"] != "-"
    for figure in written["figures"]:
        assert set(figure) == {"key", "label", "unit", "median", "low", "high", "samples", "parts"}
        assert figure["low"] <= figure["median"] <= figure["high"]
        assert figure["samples"] == rounds.FEWEST_ROUNDS
        assert set(figure["parts"]) == {"bare", "protected"}
    assert [one["name"] for one in written["targets"]] == [one.name for one in TARGETS]
    met = {one["name"]: one["met"] for one in written["targets"]}
    assert met["public view"] in {True, False}
    assert met["a forged token refused"] is None  # the others did not run


def test_every_case_has_a_name_of_its_own(place):
    keys = [case.key for case in load(place, lambda _: None, {"permjwt"})]
    assert len(keys) == len(set(keys))


def test_an_answer_that_was_not_expected_ends_the_run(place):
    case: Case = load(place, lambda _: None, {"flask"})[0]
    with pytest.raises(RuntimeError, match="answered 404"):
        Exchange.to(case.bare.app, "/nowhere").check()


def test_what_cannot_be_measured_is_left_out_in_words(place, monkeypatch):
    def no_app(_):
        raise LeftOut("the moon is full")

    monkeypatch.setattr("benchmarks.apps.plain.cases", no_app)
    said = []
    assert load(place, said.append, {"flask"}) == []
    assert said == ["left out, flask: the moon is full"]


def verdict(name, **medians):
    figures = {key.replace("__", "/"): summarise(key, key, "us", [value]) for key, value in medians.items()}
    return next(one for one in judge(figures, "2.15.1") if one.name == name)


def test_targets_compare_ratios_distances_and_limits():
    ratio = {"permjwt__forged": 10, "jwt-extended__forged": 80}
    assert verdict("a forged token refused", **ratio).met is True
    assert verdict("a forged token refused", **ratio | {"permjwt__forged": 10.1}).met is False
    away = {"permjwt__routes-1000": 4, "permjwt__routes-10": 5}
    assert verdict("1,000 routes against 10", **away).met is True
    assert verdict("1,000 routes against 10", **away | {"permjwt__routes-10": 5.1}).met is False
    assert verdict("throughput, protected against bare", throughput__permjwt=0.96).met is True
    assert verdict("throughput, protected against bare", throughput__permjwt=0.94).met is False
    assert verdict("import, memory", import__memory=15.1).met is False


def test_the_older_pyjwt_has_targets_of_its_own():
    target = next(one for one in TARGETS if one.older_pyjwt is not None)
    figures = {
        target.figure: summarise(target.figure, "", "us", [1]),
        target.per: summarise(target.per, "", "us", [target.older_pyjwt]),
    }
    assert judge(figures, "2.13.0")[TARGETS.index(target)].met is True
    assert judge(figures, "2.15.0")[TARGETS.index(target)].met is False


def test_login_and_import_are_measured():
    found = {**login.measure(1), **imports.measure(1)}
    logins = {"login/added", "login/added-wall", "login/least"}
    assert set(found) == logins | {"import/time", "import/memory", "import/app-time", "import/app-memory"}
    assert found["login/added"].parts["hash"] > 0


def test_many_revocations_are_measured(capsys):
    found = revocations.measure(200)
    report.show(Results(figures=found), Console())
    assert "200 live revocations" in capsys.readouterr().out
    assert set(found) == {"revocations/load", "revocations/memory", "revocations/poll", "revocations/poll-few"}
    assert found["revocations/load"].median > 0


def test_workers_of_a_host_see_a_revocation_with_their_next_request():
    found = spread.measure(8)
    assert found["spread/missed"].median == 0
    assert found["spread/other-host"].median > 0


@pytest.mark.skipif(shutil.which("valgrind") is None and not os.environ.get("CI"), reason="needs valgrind")
def test_a_warm_request_takes_no_more_instructions_than_it_may():
    # Far below the target, or it could creep up to that unseen. Each Python has its own count, of 8,200 at most.
    ceiling = 10_000
    assert ceiling < next(one.limit for one in TARGETS if one.figure == "instructions/permjwt")
    assert 0 < instructions.count_added("permjwt") <= ceiling
