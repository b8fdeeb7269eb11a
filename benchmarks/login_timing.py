"""Can a stranger tell by the time of a refused login whether the user exists?

    python -m benchmarks.login_timing --tries 300

Unknown, disabled and password-less users are tried against a wrong password of an existing one, in pairs of
random order, in process, with the real hash. Reported are the median of each, the median of the paired differences
with its 95 % bootstrap interval, and the sign test: p is how often chance alone would give so uneven a count.
"""

import argparse
import logging
import random
import secrets
import statistics
import time

from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT

RESAMPLES = 2000
CASES = {"unknown": "nobody", "disabled": "disabled", "no password": "passwordless"}


def make_client() -> FlaskClient:
    """Build an app with the three users."""
    app = Flask("timing")
    app.config.update(
        SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_RATELIMIT_ENABLED=False
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    with app.app_context():
        db.create_all()
        permjwt.users.create("alice", "correct horse battery staple")
        permjwt.users.create("disabled", "correct horse battery staple", active=False)
        permjwt.users.create("passwordless")
        db.session.commit()
    return app.test_client()


def timed(client: FlaskClient, name: str) -> float:
    """Return the milliseconds of one refused login."""
    begun = time.perf_counter()
    answer = client.post("/auth/login", json={"username": name, "password": "not the password"})
    taken = 1000 * (time.perf_counter() - begun)
    assert answer.status_code == 401  # noqa: S101, PLR2004  # or nothing was measured
    return taken


def interval(differences: list[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median."""
    size = len(differences)
    medians = sorted(statistics.median(random.choices(differences, k=size)) for _ in range(RESAMPLES))  # noqa: S311  # no secret
    return medians[RESAMPLES // 40], medians[-RESAMPLES // 40]


def sign_test(differences: list[float]) -> float:
    """Return the two-sided p of the sign test, by the normal approximation."""
    larger, size = sum(one > 0 for one in differences), len(differences)
    z = abs(larger - size / 2) / (size / 4) ** 0.5
    return 2 * (1 - statistics.NormalDist().cdf(z))


def main() -> None:
    """Measure and print."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--tries", type=int, default=300)
    tries = parser.parse_args().tries
    logging.getLogger("flask_permjwt").setLevel(logging.ERROR)  # one line for each refusal
    client = make_client()
    timed(client, "alice")
    print(f"{'':14}{'median ms':>12}{'wrong password':>16}{'difference, 95 %':>28}{'sign test p':>14}")
    for case, name in CASES.items():
        pairs = []
        for _ in range(tries):
            first = secrets.randbelow(2)
            taken = [timed(client, one) for one in ((name, "alice") if first else ("alice", name))]
            pairs.append(taken if first else taken[::-1])
        differences = [one - other for one, other in pairs]
        low, high = interval(differences)
        middle = statistics.median(differences)
        medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
        difference = f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"{case:14}{medians[0]:12.2f}{medians[1]:16.2f}{difference:>28}{sign_test(differences):14.3f}")


if __name__ == "__main__":
    main()
