"""The targets: what this library set itself, as ratios within one run where they are about other libraries."""

from dataclasses import dataclass

from benchmarks.figures import Figures


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the list.

    Attributes:
        name: what it is about.
        figure: the figure of ours.
        limit: the most it may be; with ``per``, one part in so many of it.
        unit: of the limit.
        per: the figure of theirs that ours is a part of.
        away_from: the figure of ours that it may differ from by the limit.
        at_least: the limit is the least it may be.
        older_pyjwt: the limit with PyJWT before 2.14, whose base64 was faster.
    """

    name: str
    figure: str
    limit: float
    unit: str = "us"
    per: str | None = None
    away_from: str | None = None
    at_least: bool = False
    older_pyjwt: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what was measured; ``met`` is None where nothing was."""

    name: str
    target: str
    measured: str
    met: bool | None


_PERMISSIONS = "jwt-extended/permissions"
_RS256 = "jwt-extended/rs256"

TARGETS = (
    Target("warm, HS256, header", "permjwt/header", 50, per=_PERMISSIONS, older_pyjwt=25),
    Target("warm, HS256, revocation feed live", "permjwt/guarantees", 50, per=_PERMISSIONS, older_pyjwt=25),
    Target("warm, HS256, added instructions", "instructions/permjwt", 20_000, "instructions"),
    Target("warm, RS256", "permjwt/rs256", 70, per=_RS256),
    Target("warm, ES256", "permjwt/es256", 70, per=_RS256),
    Target("warm, EdDSA", "permjwt/eddsa", 70, per=_RS256),
    Target(
        "same guarantees, loader and blocklist on SQLite", "permjwt/guarantees", 180, per="jwt-extended/sqlite"
    ),
    Target("same guarantees, blocklist on Redis", "permjwt/guarantees", 80, per="jwt-extended/redis"),
    Target("same guarantees, Flask-Security", "permjwt/guarantees", 180, per="flask-security/permissions"),
    Target("cookie with CSRF on POST, warm", "permjwt/cookie", 40, per="jwt-extended/cookie"),
    Target("cold: first sight of a token", "permjwt/cold", 2.5, per=_PERMISSIONS),
    Target("a forged token refused", "permjwt/forged", 8, per="jwt-extended/forged"),
    Target("1,000 permissions, warm", "permjwt/permissions-1000", 200, per="jwt-extended/permissions-1000"),
    Target("1,000 routes against 10", "permjwt/routes-1000", 1, away_from="permjwt/routes-10"),
    Target("many users against 10", "permjwt/users-many", 1, away_from="permjwt/users-few"),
    Target("many revocations against 10", "permjwt/revocations-many", 1, away_from="permjwt/revocations-few"),
    Target("a revocation, not seen next on its host", "spread/missed", 0, ""),
    Target("a revocation, seen by another host", "spread/other-host", 1050, "ms"),
    Target("public view", "permjwt/public", 2),
    Target("login over the password hash", "login/added", 1, "ms"),
    Target("throughput, protected against bare", "throughput/permjwt", 0.95, "", at_least=True),
    Target("import, time", "import/time", 60, "ms"),
    Target("import, memory", "import/memory", 15, "MB"),
)


def judge(figures: Figures, pyjwt: str) -> list[Verdict]:
    """Compare every target with what was measured."""
    older = tuple(int(part) for part in pyjwt.split(".")[:2]) < (2, 14)
    return [_judge(target, figures, older=older) for target in TARGETS]


def _judge(target: Target, figures: Figures, *, older: bool) -> Verdict:
    limit = target.older_pyjwt if older and target.older_pyjwt else target.limit
    if target.per is not None:
        shown = f"at most 1/{limit:g} of {target.per}"
    elif target.away_from is not None:
        shown = f"within {limit:g} {target.unit} of {target.away_from}"
    else:
        shown = f"at {'least' if target.at_least else 'most'} {limit:,g} {target.unit}".rstrip()
    needed = [key for key in (target.figure, target.per, target.away_from) if key is not None]
    missing = [key for key in needed if key not in figures]
    if missing:
        return Verdict(target.name, shown, f"{' and '.join(missing)}: not measured", None)
    ours = figures[target.figure].median
    if target.per is not None:
        theirs = figures[target.per].median
        ratio = f"1/{theirs / ours:.1f}" if ours > 0 else "below the noise"
        measured = f"{ratio} ({ours:.1f} of {theirs:.1f} {target.unit})"
        return Verdict(target.name, shown, measured, ours * limit <= theirs)
    if target.away_from is not None:
        away = ours - figures[target.away_from].median
        return Verdict(target.name, shown, f"{away:+.2f} {target.unit}", abs(away) <= limit)
    measured = f"{ours:,.2f} {target.unit}".rstrip() if target.unit != "instructions" else f"{ours:,.0f}"
    return Verdict(target.name, shown, measured, ours >= limit if target.at_least else ours <= limit)
