"""The built page, as files: those with a hash in their name for ever, the page itself never without asking.

Any other path is the page too: it finds its way by itself. What must not be answered with it: a path of the API that
does not exist, which would look like an answer.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from plimsoll.edges.api.problems import missing

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_NOT_BUILT = (
    "The desk runs; its page was not built.\n"
    "`make up` builds it, or use the API: /api/openapi.json describes it.\n"
)  # fmt: skip


def page_route(folder: Path | None) -> Route:
    """Give the route of everything that is not the API's."""
    built = None if folder is None or not (folder / "index.html").is_file() else folder.resolve()

    async def page(request: Request) -> Response:
        path: str = request.path_params["path"]
        if path == "api" or path.startswith("api/"):
            raise missing()
        if built is None:
            if path:
                raise missing()
            return PlainTextResponse(_NOT_BUILT)
        file = _file_at(built, path)
        if file is not None:
            is_hashed = file.parent.name == "assets"
            return FileResponse(file, headers={"cache-control": _FOR_EVER if is_hashed else _ASK_FIRST})
        if "." in path.rpartition("/")[2]:
            # A file that is not there: the page in its place would be taken for a script or a picture.
            raise missing()
        return FileResponse(built / "index.html", headers={"cache-control": _ASK_FIRST})

    return Route("/{path:path}", page, methods=["GET"])


def _file_at(built: Path, path: str) -> Path | None:
    """Find a file of the page; None for none, and for what no file system could have."""
    try:
        file = (built / path).resolve()
        return file if path and file.is_relative_to(built) and file.is_file() else None
    except (ValueError, OSError):  # a NUL, or a name that is too long
        return None
