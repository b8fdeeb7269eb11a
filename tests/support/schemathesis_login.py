"""What schemathesis loads: it logs in anew for every request, for it logs out too."""

import json
import os
import urllib.request

import schemathesis


@schemathesis.auth(refresh_interval=None)
class LogIn:
    """Logs in at the address in PERMJWT_TEST_LOGIN with the JSON in PERMJWT_TEST_USER."""

    def get(self, _case, _context):
        request = urllib.request.Request(  # noqa: S310  # our own server
            os.environ["PERMJWT_TEST_LOGIN"],
            data=os.environ["PERMJWT_TEST_USER"].encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return json.load(answer)["access_token"]

    def set(self, case, data, _context):
        case.headers["Authorization"] = f"Bearer {data}"
