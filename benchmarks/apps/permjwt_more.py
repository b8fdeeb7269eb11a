"""flask_permjwt with other settings, keys, and numbers of routes and users."""

from collections.abc import Iterator

from benchmarks.apps.common import bearer, key_pair, over_bare
from benchmarks.apps.permjwt import World, make
from benchmarks.case import Case, LeftOut, Place
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.key_files import KeyDirectory
from flask_permjwt.tokens.lifecycle import ManagedKey
from flask_permjwt.tokens.pairs import generate

CACHE, NEW_TOKENS = 64, 256


def _case(world: World, key: str, label: str, *tokens: str) -> Case:
    headers = [bearer(token) for token in tokens or (world.token,)]
    return over_bare(f"permjwt/{key}", label, world.app, "/reports", *headers)


def cold(place: Place) -> Iterator[Case]:
    """Measure tokens that are seen for the first time: without a cache, and with one that never has them.

    More tokens take turns than the cache holds, so that each request also writes into it and pushes one out.
    """
    world = make(place, "cold", PERMJWT_TOKEN_CACHE_SIZE=0)
    yield _case(world, "cold-off", "cold, the cache is off")
    world = make(place, "new", PERMJWT_TOKEN_CACHE_SIZE=CACHE)
    tokens = [world.reissued() for _ in range(NEW_TOKENS)]
    yield _case(world, "cold", "cold, a token not seen before", *tokens)


def keys_dir(place: Place) -> Iterator[Case]:
    """Measure with a directory of keys, which is looked at again and again."""
    folder = place.folder / "keys"
    folder.mkdir(mode=0o700)
    KeyDirectory(folder).write(ManagedKey(generate("HS256"), signs_from=0))
    world = make(place, "keys-dir", PERMJWT_KEYS_DIR=folder, PERMJWT_KEYS_REFRESH=1)
    yield _case(world, "keys-dir", "warm, keys from a directory")


def routes(place: Place) -> Iterator[Case]:
    """Measure an app with few and one with many routes."""
    for count in (10, 1000):
        world = make(place, f"routes{count}", routes=count)
        yield _case(world, f"routes-{count}", f"warm, in an app of {count:,} guarded routes")


def users(place: Place) -> Iterator[Case]:
    """Measure an app with few and one with many users."""
    for key, count in (("few", 10), ("many", place.many)):
        world = make(place, f"users-{key}", users=count)
        yield _case(world, f"users-{key}", f"warm, in an app of {count:,} users")


def revocations(place: Place) -> Iterator[Case]:
    """Measure an app that knows few and one that knows many live revocations."""
    from benchmarks.revocations import fill  # noqa: PLC0415  # which builds on these apps

    for key, count in (("few", 10), ("many", place.revocations)):
        world = make(place, f"revocations-{key}")
        fill(world, count)
        yield _case(world, f"revocations-{key}", f"warm, with {count:,} live revocations")


def feed(place: Place) -> Iterator[Case]:
    """Measure with the revocation feed: the user is active, the token not revoked, its permissions are current.

    Raises:
        LeftOut: this version has no feed.
    """
    try:
        world = make(place, "feed", PERMJWT_REVOCATION_INTERVAL=1)
    except ConfigurationError as error:
        raise LeftOut(f"the revocation feed: {error}") from None
    yield _case(world, "guarantees", "warm, the revocation feed live")


def feed_redis(place: Place) -> Iterator[Case]:
    """Measure with the revocation feed on Redis.

    Raises:
        LeftOut: this version has no such feed, or there is no Redis.
    """
    from benchmarks.apps import redis_server  # noqa: PLC0415  # only this case needs redis

    redis_server.needed()
    url = f"redis://{redis_server.HOST}:{redis_server.PORT}/0"
    try:
        world = make(place, "feed-redis", PERMJWT_REVOCATION_URL=url)
    except ConfigurationError as error:
        raise LeftOut(f"the revocation feed on Redis: {error}") from None
    yield _case(world, "guarantees-redis", "warm, the revocation feed live on Redis")


def rs256(place: Place) -> Iterator[Case]:
    """Measure RS256."""
    return _algorithm(place, "RS256")


def es256(place: Place) -> Iterator[Case]:
    """Measure ES256."""
    return _algorithm(place, "ES256")


def eddsa(place: Place) -> Iterator[Case]:
    """Measure EdDSA."""
    return _algorithm(place, "EdDSA")


def _algorithm(place: Place, name: str) -> Iterator[Case]:
    key, _ = key_pair(name)
    settings = {"PERMJWT_ALGORITHM": name, "PERMJWT_PRIVATE_KEY": key}
    warm = make(place, name, **settings)
    cold = make(place, f"{name}-cold", PERMJWT_TOKEN_CACHE_SIZE=0, **settings)
    yield _case(warm, name.lower(), f"warm, {name}, header")
    yield _case(cold, f"{name.lower()}-cold", f"cold, {name}, header")
