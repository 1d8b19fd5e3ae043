"""The line to an exchange that is a process of its own: HTTP for questions, a WebSocket for each stream.

Rule 1. A connection that could not be had is `NotSent`; a line that breaks later is `Lost`, whatever broke.
Rule 2. One session of connections for as long as the process lives; each stream is a connection of its own.

What must not enter: what the bytes say.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from tests.simulation.adapter.wire import Closed, HearBytes, Lost, NotSent, Reply

KEY_HEADER = "x-exchange-key"


class HttpTransport:
    """The line of one account's key; made on the loop that it is used on."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        # Who asks says how long he waits; the connection itself is on this machine, or it is not there.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=2.0),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0),
        )
        self._streams: set[asyncio.Task[None]] = set()

    async def request(self, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """Ask, and wait for the answer for as long as the caller does.

        Raises: NotSent, Lost
        """
        try:
            async with self._session.request(
                method, f"{self._url}/api{path}", params=dict(params), headers={KEY_HEADER: self._key}
            ) as response:
                return Reply(response.status, await response.read())
        except aiohttp.ClientConnectorError as refused:
            raise NotSent(str(refused)) from refused
        except (aiohttp.ClientError, OSError) as broken:
            raise Lost(f"{type(broken).__name__}: {broken}") from broken

    def stream(self, hear: HearBytes, closed: Closed, since: int | None) -> Callable[[], None]:
        """Open the account's stream; what is given back closes it, after which neither is called again."""
        query = {"key": self._key} | ({} if since is None else {"since": str(since)})
        return self.listen("/stream", query, hear, closed)

    def listen(self, path: str, query: Mapping[str, str], hear: HearBytes, closed: Closed) -> Callable[[], None]:
        """Open a stream of the exchange."""
        task = asyncio.get_running_loop().create_task(self._listen(path, dict(query), hear, closed))
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        return lambda: _cancel(task)

    async def _listen(self, path: str, query: dict[str, str], hear: HearBytes, closed: Closed) -> None:
        why = "the exchange closed it"
        try:
            async with self._session.ws_connect(f"{self._url}{path}", params=query) as socket:
                message: Any
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        hear(message.data.encode())
        except (aiohttp.ClientError, OSError) as broken:
            why = f"{type(broken).__name__}: {broken}"
        closed(why)

    async def close(self) -> None:
        """Let go of every connection; nobody asks any more."""
        streams = list(self._streams)
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await self._session.close()


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
