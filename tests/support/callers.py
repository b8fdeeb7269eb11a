"""Calling an app on a port of this machine, each time on a connection of its own, and never following anything."""

import http.client
import json
from dataclasses import dataclass

PASSWORD = "correct horse battery staple"


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self):
        return json.loads(self.text)


class Caller:
    """Whoever calls the app at a port."""

    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def ask(self, method, path, token=None, body=None, *, headers=(), form=None):
        """Send a request, with JSON or with a form that is encoded already."""
        headers = dict(headers)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        elif form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, form if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    def get(self, path, token=None):
        return self.ask("GET", path, token)

    def log_in(self, name):
        answer = self.ask("POST", "/auth/login", body={"username": name, "password": PASSWORD})
        assert answer.status == 200, answer.text
        return answer.json["access_token"]
