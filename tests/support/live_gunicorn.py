"""The app of the tests of live connections under gunicorn: flask-sock and Flask-SocketIO in threads."""

import os

import flask_sock
from flask import Flask, send_file
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, check_permissions, requires_login, requires_permissions
from flask_permjwt.live.sock import Sock
from flask_permjwt.live.socketio import SocketIO


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ["LIVE_SECRET"],
        SQLALCHEMY_DATABASE_URI=os.environ["LIVE_URL"],
        PERMJWT_RATELIMIT_ENABLED=False,
        PERMJWT_COOKIE_SECURE=False,
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.extensions["live_users"] = permjwt.users
    app.extensions["live_db"] = db

    @app.get("/exports/report.txt")
    @requires_permissions("reports:read")
    def export():
        return send_file(__file__, as_attachment=True, download_name="report.txt")

    @flask_sock.Sock(app).route("/plain")
    @requires_permissions("chat:read")
    def plain(ws):
        while True:
            message = ws.receive()
            check_permissions("chat:write")
            ws.send(message)

    @requires_permissions("chat:read")
    @Sock(app).route("/ours")
    def ours(ws):
        while True:
            ws.send(ws.receive())

    server = SocketIO(app, async_mode="threading")

    @requires_login
    @server.on("connect")
    def connected(auth=None):
        pass

    @requires_permissions("chat:write")
    @server.on("write")
    def write(message):
        return message

    permjwt.check(app)
    return app
