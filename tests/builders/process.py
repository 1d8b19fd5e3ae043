"""A desk as its user has it: the command `plimsoll up` as a process of its own, called over HTTP.

with served(tmp_path) as desk:
    desk.sign_in()
    desk.post("/orders", {"symbol": "BTC/USDT", "side": "BUY", "quote_value": "100"})
    desk.kill()
    desk.start()
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import httpx2

PASSWORD = "a quiet harbour at dawn"
START_SECONDS = 60.0
_URL = re.compile(r"served at (http://127\.0\.0\.1:\d+)")
_LINK = re.compile(r"(http://127\.0\.0\.1:\d+/#/welcome\?token=(\S+))")


class NotServed(AssertionError):
    """The desk did not come up: holds what it said."""


class DeskProcess:
    """A desk in a process of its own, and a signed-in client of it."""

    def __init__(self, directory: Path, *words: str, prices: str = "synthetic", port: int = 0, **settings: str) -> None:
        self.directory = directory
        self.settings = {f"PLIMSOLL_{name.upper()}": value for name, value in settings.items()}
        self.words = words
        self.prices = prices
        self.port = port
        self.url = ""
        #: The one-time link of this start, if it made one.
        self.link = ""
        self.said: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.client = httpx2.Client(timeout=30.0, headers={"X-Plimsoll": "1"})
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._listener: threading.Thread | None = None

    def start(self) -> "DeskProcess":
        """Start it, and wait until it says where it is served and that it can trade."""
        command = [sys.executable, "-m", "plimsoll", "up", "--no-browser", "--port", str(self.port)]
        command += ["--prices", self.prices, "--data", str(self.directory), *self.words]
        told = {name: value for name, value in os.environ.items() if not name.startswith("PLIMSOLL_")} | self.settings
        self._let_go()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=told)
        self.url, self._lines = "", SimpleQueue()
        self._listener = threading.Thread(target=self._listen, args=(self.process, self._lines), daemon=True)
        self._listener.start()
        while not self.url:
            line = self._next_line()
            if found := _LINK.search(line):
                self.link = found[1]
            if found := _URL.search(line):
                self.url = found[1]
        # The next start takes the same port: a browser that is open finds the desk again.
        self.port = int(self.url.rsplit(":", 1)[1])
        until = time.monotonic() + START_SECONDS
        while self.get("/system/health")["status"] != "ok":
            assert time.monotonic() < until, self.get("/system/health")
        return self

    def _next_line(self) -> str:
        try:
            line = self._lines.get(timeout=START_SECONDS)
        except Empty:
            line = None
        if line is None:
            raise NotServed("".join(self.said))
        return line

    def _listen(self, process: "subprocess.Popen[str]", lines: "SimpleQueue[str | None]") -> None:
        assert process.stderr is not None, "Invariant: it was started with a pipe."
        for line in process.stderr:
            self.said.append(line)
            lines.put(line)
        lines.put(None)

    def sign_in(self) -> None:
        """Choose the owner's password by the last one-time link, or sign in with it."""
        token = _LINK.search(self.link)
        if token is not None:
            self.post("/auth/link", {"token": token[2], "password": PASSWORD})
            self.link = ""
        else:
            self.post("/auth/sign-in", {"name": "owner", "password": PASSWORD})

    def get(self, path: str, **query: str) -> Any:
        """Ask for something; anything but a success fails the test with what was said."""
        return self._read(self.client.get(f"{self.url}/api/v1{path}", params=query))

    def post(self, path: str, body: dict[str, object] | None = None, key: str | None = None) -> Any:
        """Command something; anything but a success fails the test with what was said."""
        return self._read(self.try_post(path, body, key))

    def try_post(self, path: str, body: dict[str, object] | None = None, key: str | None = None) -> httpx2.Response:
        """Command something and give the answer as it is."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(f"{self.url}/api/v1{path}", json=body or {}, headers=headers)

    def _read(self, response: httpx2.Response) -> Any:
        assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
        return response.json() if response.content else None

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None, "Invariant: it was started."
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        assert self.process is not None, "Invariant: it was started."
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        """Let go of everything, whatever state it is in."""
        self.client.close()
        self._let_go()

    def _let_go(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.kill()
        if self._listener is not None:
            self._listener.join()
        if self.process.stderr is not None:
            self.process.stderr.close()


@contextmanager
def served(directory: Path, *words: str, prices: str = "synthetic") -> Iterator[DeskProcess]:
    """Serve a desk for one test."""
    desk = DeskProcess(directory, *words, prices=prices)
    try:
        yield desk.start()
    finally:
        desk.close()
