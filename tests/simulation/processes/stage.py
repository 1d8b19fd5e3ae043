"""What both layers of real processes stand on: an exchange, the first sign-in at a desk, and the quiet at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.builders.process import PASSWORD
from tests.simulation.processes.child import Child
from tests.simulation.processes.exchange_server import ExchangeWords, be_exchange

#: How long the book may take until it is what the exchange has, once nothing breaks any more.
QUIET_SECONDS = 60.0


@contextmanager
def an_exchange(folder: Path, seed: int) -> Iterator[str]:
    """Run an exchange; give its address."""
    child = Child("exchange", folder / "exchange.log", be_exchange, ExchangeWords(0, seed))
    try:
        yield str(child.start().expect("served"))
    finally:
        has_ended = not child.is_alive()
        child.close()
        assert not has_ended, f"the exchange ended, and with it whatever was tried here:\n{child.log()}"


class Owner:
    """The owner of a desk, at whatever address it is served."""

    def __init__(self) -> None:
        self.url = ""
        self._http = httpx2.Client(timeout=30.0, headers={"X-Plimsoll": "1"})

    def sign_in(self, url: str, token: str) -> str:
        """Choose a password by the one-time link; give the secret of a key that may trade."""
        self.url = url
        self.ask("POST", "/auth/link", {"token": token, "password": PASSWORD})
        secret: str = self.ask("POST", "/keys", {"name": "load", "rights": ["read", "trade"]})["secret"]
        self._http.headers["Authorization"] = f"Bearer {secret}"
        return secret

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for something; anything but a success fails with what was said."""
        response = self._http.request(method, f"{self.url}/api/v1{path}", json=body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def wait_until_it_trades(self, child: Child) -> None:
        """Wait until the desk says that nothing is in doubt, and has its money.

        Raises: AssertionError with what it says and its log
        """

        def trades() -> bool:
            (portfolio,) = self.ask("GET", "/portfolios")["items"]
            return bool(portfolio["balances"]) and self.ask("GET", "/system/health")["status"] == "ok"

        self._until(trades, child, "it never traded")

    def come_to_rest(self, child: Child) -> None:
        """Take back what waits, and have the book compared until it is what the exchange has."""

        def rests() -> bool:
            for order in self.ask("GET", "/orders?status=open")["items"]:
                # One that ended meanwhile is refused, and so is one that cannot be asked about yet: it is tried again.
                self._http.post(f"{self.url}/api/v1/orders/{order['id']}/cancel")
            (portfolio,) = self.ask("GET", "/portfolios")["items"]
            self._http.post(f"{self.url}/api/v1/reconciliation/{portfolio['account']}/sync")
            health = self.ask("GET", "/system/health")
            return not self.ask("GET", "/orders?status=open")["items"] and health["status"] == "ok"

        self._until(rests, child, "it never came to rest")

    def _until(self, holds: Any, child: Child, otherwise: str) -> None:
        until = time.monotonic() + QUIET_SECONDS
        while not holds():
            assert child.is_alive(), f"it ended:\n{child.log()}"
            assert time.monotonic() < until, f"{otherwise}: {self.ask('GET', '/system/health')}\n{child.log()}"
            child.hear(0.1)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def calm(exchange: str) -> None:
    """Let no line to the exchange break any more."""
    httpx2.post(f"{exchange}/quiet", timeout=10.0).raise_for_status()
