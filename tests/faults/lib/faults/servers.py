"""Private servers on free ports, made to be broken: stopped, restarted, made read-only, emptied."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

_POSTGRESQL = "/usr/lib/postgresql"
_PATIENCE = 60


class MissingBinaryError(Exception):
    """What a server needs is not installed here."""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """A process that can be taken away and brought back with what it stored."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.process = None

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                **self.how(),
            )
        until = time.monotonic() + _PATIENCE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"{self.command()[0]} does not start: {(self.folder / 'log').read_text()[-2000:]}"
                )
            time.sleep(0.05)

    def stop(self):
        """Stop without a farewell, as a machine does that loses its power."""
        if self.process is not None:
            self._kill()
            self.process.wait(_PATIENCE)
            self.process = None

    def _kill(self):
        self.process.kill()

    def how(self):
        return {}

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    def _run(self, *command):
        ran = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, **self.how()
        )
        if ran.returncode != 0:
            raise RuntimeError(f"{command[0]}: {ran.stdout}{ran.stderr}")


class Database(Server):
    """A server whose databases an administrator makes, and an app uses as somebody with fewer rights."""

    def url(self, name, port=None):
        """Return what the app is told: its own user, and this port or a proxy's."""
        raise NotImplementedError

    def new_database(self, name):
        raise NotImplementedError

    def set_read_only(self, on):
        raise NotImplementedError

    def administer(self, *statements, database=None):
        engine = create_engine(self.admin_url(database), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def answers(self):
        with contextlib.suppress(SQLAlchemyError):
            self.administer("SELECT 1")
            return True
        return False

    def admin_url(self, database):
        raise NotImplementedError


class PostgreSQL(Database):
    kind = "postgresql"

    def __init__(self, folder):
        super().__init__(folder)
        versions = sorted(Path(_POSTGRESQL).glob("*/bin"), key=lambda one: int(one.parent.name))
        beside = shutil.which("initdb")
        if not versions and beside is None:
            raise MissingBinaryError(f"no initdb under {_POSTGRESQL}")
        self.bin = versions[-1] if versions else Path(beside).parent
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root; its folder must be reached from there.
            _hand_over(self.folder, "postgres")

    def prepare(self):
        self._run(self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("wal_level = replica\nmax_wal_senders = 3\nhot_standby = on\nwal_sender_timeout = 2s\n")

    def standby(self, folder):
        """Return a server that follows this one, ready to take over."""
        other = PostgreSQL(folder)
        self._run(
            *(self.bin / "pg_basebackup", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres"),
            *("-D", other.data, "-R", "-X", "stream", "-c", "fast", "--no-sync"),
        )
        other.start()
        return other

    def promote(self):
        self.administer("SELECT pg_promote(true, 30)")

    def has_all_of(self, other):
        """Tell whether this standby has replayed everything that the other wrote."""
        ask = "SELECT pg_current_wal_lsn()", "SELECT pg_last_wal_replay_lsn() >= CAST(:at AS pg_lsn)"
        written = create_engine(other.admin_url(None), poolclass=NullPool)
        with written.connect() as connection:
            at = connection.scalar(text(ask[0]))
        with create_engine(self.admin_url(None), poolclass=NullPool).connect() as connection:
            return connection.scalar(text(ask[1]), {"at": str(at)})

    def how(self):
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}

    def command(self):
        settings = f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"
        return [self.bin / "postgres", "-D", self.data, *(part for one in settings for part in ("-c", one))]

    def _kill(self):
        # As `pg_ctl stop -m immediate` does. SIGKILL would leave its children, and their shared memory, behind.
        self.process.send_signal(signal.SIGQUIT)

    def admin_url(self, database):
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database or 'postgres'}"

    def url(self, name, port=None):
        return f"postgresql+psycopg://app@127.0.0.1:{port or self.port}/{name}"

    def new_database(self, name):
        with contextlib.suppress(SQLAlchemyError):
            self.administer("CREATE ROLE app LOGIN")
        self.administer(f"CREATE DATABASE {name} OWNER app")

    def set_read_only(self, on):
        wanted = "on" if on else "off"
        self.administer(f"ALTER SYSTEM SET default_transaction_read_only = {wanted}")
        self.administer("SELECT pg_reload_conf()")
        # That only asks for it. Who connects anew sees when it is done, and when all others were told.
        until = time.monotonic() + _PATIENCE
        engine = create_engine(self.admin_url(None), poolclass=NullPool)
        while time.monotonic() < until:
            with engine.connect() as connection:
                if connection.scalar(text("SHOW default_transaction_read_only")) == wanted:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"default_transaction_read_only does not become {wanted}")


class MariaDB(Database):
    kind = "mariadb"

    def __init__(self, folder):
        super().__init__(folder)
        found = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")
        self.install = shutil.which("mariadb-install-db")
        if found is None or self.install is None:
            raise MissingBinaryError("no mariadbd or no mariadb-install-db")
        self.binary = found
        self.data = self.folder / "data"

    def prepare(self):
        self._run(
            *(self.install, "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", *self._user()),
        )

    def _user(self):
        return [f"--user={pwd.getpwuid(os.geteuid()).pw_name}"]

    def command(self):
        return [
            *(self.binary, "--no-defaults", f"--datadir={self.data}", f"--port={self.port}", *self._user()),
            *("--bind-address=127.0.0.1", f"--socket={self.folder / 's'}", f"--pid-file={self.folder / 'pid'}"),
            *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--skip-name-resolve"),
        ]

    def admin_url(self, database):
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database or 'mysql'}?connect_timeout=2"

    def url(self, name, port=None):
        return f"mysql+pymysql://app@127.0.0.1:{port or self.port}/{name}"

    def new_database(self, name):
        self.administer(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            "CREATE USER IF NOT EXISTS app@'127.0.0.1'",
            f"GRANT ALL ON {name}.* TO app@'127.0.0.1'",
        )

    def set_read_only(self, on):
        # It holds for whoever may not administer the server.
        self.administer(f"SET GLOBAL read_only = {int(on)}")


class Redis(Server):
    kind = "redis"

    def __init__(self, folder):
        super().__init__(folder)
        self.binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if self.binary is None:
            raise MissingBinaryError("no redis-server")

    def prepare(self):
        pass

    def command(self):
        return [
            *(self.binary, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder),
            *("--save", "", "--appendonly", "no"),
        ]

    def url(self, port=None):
        return f"redis://127.0.0.1:{port or self.port}/0"

    def client(self):
        import redis  # noqa: PLC0415  # an extra

        return redis.Redis(port=self.port, decode_responses=True)

    def call(self, *command):
        with self.client() as client:
            return client.execute_command(*command)

    def answers(self):
        import redis  # noqa: PLC0415  # an extra

        with contextlib.suppress(redis.RedisError):
            return bool(self.call("PING"))
        return False

    def set_read_only(self, on):
        # No replica is there: writes are refused, and readings are not.
        self.call("CONFIG", "SET", "min-replicas-to-write", int(on))

    def flush(self):
        self.call("FLUSHALL")


def _hand_over(folder, user):
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
