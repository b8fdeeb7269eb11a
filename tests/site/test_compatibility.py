"""The page of promises says what the package asks for and what CI tests."""

import re
import tomllib

from pages import ROOT

PAGE = (ROOT / "docs" / "compatibility.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOW = (ROOT / ".github" / "workflows" / "tests.yml").read_text()


def row(name):
    [found] = re.findall(rf"^\| {name} \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    return found


def lower_bound(name):
    [found] = [one for one in PROJECT["dependencies"] if re.split(r"[<>=~!]", one)[0] == name]
    return re.search(r">=([\d.]+)", found)[1]


def test_the_versions_of_python_are_those_of_ci():
    supported, tested = row("Python")
    assert f"{PROJECT['requires-python'].removeprefix('>=')} and newer" in supported
    assert tested.split(", ") == re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", WORKFLOW)[1])


def test_the_lower_bounds_are_those_that_are_asked_for():
    assert f"{lower_bound('flask')} and newer" in row("Flask")[0]
    assert f"{lower_bound('sqlalchemy')} and newer" in row("SQLAlchemy")[0]
    assert f"Flask-SQLAlchemy {lower_bound('flask-sqlalchemy')} and newer" in row("SQLAlchemy")[0]
    assert not [one for one in PROJECT["dependencies"] if "<" in one or "==" in one]


def test_the_databases_are_those_of_ci():
    for name, image in (("PostgreSQL", "postgres"), ("MariaDB", "mariadb"), ("Redis", "redis")):
        assert re.search(rf"image: {image}:(\d+)", WORKFLOW)[1] in row(name)[1].split(", ")
