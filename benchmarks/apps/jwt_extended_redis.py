"""Flask-JWT-Extended with its documented blocklist on Redis.

https://flask-jwt-extended.readthedocs.io/en/stable/blocklist_and_token_revoking.html#redis
"""

from collections.abc import Iterator
from typing import Any

import redis
from flask_jwt_extended import JWTManager

from benchmarks.apps import redis_server
from benchmarks.apps.common import NEEDED, bearer, hello, make_app, over_bare
from benchmarks.apps.jwt_extended import ACCESS_EXPIRES, permission_required, token_of
from benchmarks.case import Case, Place


def cases(place: Place) -> Iterator[Case]:
    """Measure the blocklist, with the permissions decorator.

    Raises:
        LeftOut: there is no Redis.
    """
    redis_server.needed()
    jwt_redis_blocklist = redis.StrictRedis(
        host=redis_server.HOST, port=redis_server.PORT, db=0, decode_responses=True
    )
    place.closing.callback(jwt_redis_blocklist.close)
    app = make_app("jwt-extended-redis", JWT_ACCESS_TOKEN_EXPIRES=ACCESS_EXPIRES)
    jwt = JWTManager(app)

    @jwt.token_in_blocklist_loader
    def check_if_token_is_revoked(_jwt_header: dict[str, Any], jwt_payload: dict[str, Any]) -> bool:
        jti = jwt_payload["jti"]
        token_in_redis = jwt_redis_blocklist.get(jti)
        return token_in_redis is not None

    app.add_url_rule("/reports", "reports", permission_required(NEEDED)(hello))
    label = "permissions decorator, blocklist on Redis"
    yield over_bare("jwt-extended/redis", label, app, "/reports", bearer(token_of(app)))
