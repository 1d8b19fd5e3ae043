"""The API page, as a reader would follow it: every shell line of it, run against a desk behind a real socket."""

import asyncio
import re
import shutil
import socket
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import orjson
import pytest
import uvicorn

from plimsoll.edges.api.document import write_document
from tests.edges.contract import DOCUMENT
from tests.edges.house import ADA, House, play

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def script(page: str, desk: str, token: str) -> str:
    """Take the page's shell blocks, with this desk's address and link in place of the examples."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    lines, addresses = re.subn(r"^DESK=.*$", f"DESK={desk}/api/v1", lines, flags=re.MULTILINE)
    lines, tokens = re.subn(r"^TOKEN=.*$", f"TOKEN={token}", lines, flags=re.MULTILINE)
    assert (addresses, tokens) == (1, 1)
    # Each answer on a line of its own.
    return "set -eu\n" + lines.replace("curl -sS", r"curl -sS -w '\n'")


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    """Link, key, preview, one order for two sends, cancel, and the events of all of it from the first."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine: the lines of docs/api.md did NOT run")

    async def story(house: House) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        desk = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(house.app, lifespan="off", log_config=None))
        server.capture_signals = _leave_signals  # type: ignore[method-assign, assignment]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        token = await house.people.new_link(ADA.user.id, "cli")
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", script(PAGE.read_text(), desk, token), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await shell.communicate()
        await house.app.state.streams.close()
        server.should_exit = True
        await serving
        assert shell.returncode == 0, told.decode()
        answers = [orjson.loads(line) for line in told.decode().splitlines() if line.startswith("{")]
        came_in, me, preview, first, second, listed, cancelled = answers
        assert came_in["via"] == "session"
        assert (me["via"], me["rights"]) == ("key", ["read", "trade"])
        assert preview["approved"]
        assert (first["repeated"], second["repeated"]) == (False, True)
        assert first["order"]["id"] == second["order"]["id"] == cancelled["id"]
        assert [row["id"] for row in listed["items"]] == [cancelled["id"]]
        assert cancelled["state"] == "CANCELED"
        assert house.rows("orders") == 1
        events = [orjson.loads(line[6:]) for line in told.decode().splitlines() if line.startswith("data: ")]
        kinds = [event["kind"] for event in events if event["type"] == "event"]
        assert "ORDER_WRITTEN" in kinds
        assert "ORDER_CHANGED" in kinds
        numbers = [event["number"] for event in events if event["type"] == "event"]
        assert numbers == sorted(set(numbers))

    play(tmp_path, story)


def _leave_signals() -> AbstractContextManager[None]:
    return nullcontext()


def test_the_document_is_written_without_a_desk(tmp_path: Path) -> None:
    """For whoever makes a client of it: the very document that a desk serves."""
    file = tmp_path / "openapi.json"
    write_document(file)
    assert orjson.loads(file.read_bytes()) == DOCUMENT

    async def story(house: House) -> None:
        served = await house.browser().http.get("/api/openapi.json")
        assert served.json() == DOCUMENT

    play(tmp_path, story)
