"""The Redis server of this machine, if there is one."""

import redis

from benchmarks.case import LeftOut

HOST, PORT = "127.0.0.1", 6379


def needed() -> None:
    """Ask whether it answers.

    Raises:
        LeftOut: it does not.
    """
    asked = redis.StrictRedis(host=HOST, port=PORT)
    try:
        asked.ping()
    except redis.RedisError:
        raise LeftOut(f"no Redis answers at {HOST}:{PORT}") from None
    finally:
        asked.close()
