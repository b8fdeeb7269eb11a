"""Who takes part. What cannot be measured here is left out, with a line that says why."""

import importlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

from benchmarks.case import Case, LeftOut, Place


@dataclass(frozen=True, slots=True)
class Contestant:
    """A function that builds apps and yields cases, named as ``module:function`` under ``benchmarks.apps``."""

    library: str
    builder: str


CONTESTANTS = (
    Contestant("flask", "plain:cases"),
    Contestant("permjwt", "permjwt:cases"),
    Contestant("permjwt", "permjwt_more:cold"),
    Contestant("permjwt", "permjwt_more:feed"),
    Contestant("permjwt", "permjwt_more:feed_redis"),
    Contestant("permjwt", "permjwt_more:rs256"),
    Contestant("permjwt", "permjwt_more:es256"),
    Contestant("permjwt", "permjwt_more:eddsa"),
    Contestant("permjwt", "permjwt_more:keys_dir"),
    Contestant("permjwt", "permjwt_more:routes"),
    Contestant("permjwt", "permjwt_more:users"),
    Contestant("permjwt", "permjwt_more:revocations"),
    Contestant("jwt-extended", "jwt_extended:cases"),
    Contestant("jwt-extended", "jwt_extended_sqlite:cases"),
    Contestant("jwt-extended", "jwt_extended_redis:cases"),
    Contestant("flask-security", "flask_security:cases"),
)


def load(place: Place, say: Callable[[str], None], libraries: Collection[str] | None = None) -> list[Case]:
    """Build the cases of these libraries, or of all, and make each request once."""
    found: list[Case] = []
    for one in CONTESTANTS:
        if libraries is not None and one.library not in libraries:
            continue
        module, _, function = one.builder.partition(":")
        try:
            found += getattr(importlib.import_module(f"benchmarks.apps.{module}"), function)(place)
        except LeftOut as reason:
            say(f"left out, {one.library}: {reason}")
        except ModuleNotFoundError as missing:
            say(f"left out, {one.library}: {missing}; install the extra, pip install -e '.[bench]'")
    for case in found:
        case.protected.check()
        case.bare.check()
    return found
