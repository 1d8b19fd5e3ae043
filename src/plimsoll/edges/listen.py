"""The door to the network, bound before anything else is done: a port in use is a plain sentence and no half start.

What must not enter: any other address than this machine's own. Who wants the desk elsewhere comes through a tunnel.
"""

import socket  # noqa: TID251  sim-ok: the one listening socket of a served desk; a simulated desk is called in-process
from typing import Final

from plimsoll.model.errors import Illegal

HOST: Final = "127.0.0.1"
#: Names by which a browser on this machine may call the desk; another name in `Host` is a page that plays tricks.
HOST_NAMES: Final = ("127.0.0.1", "localhost")


Listener = socket.socket


def bind(port: int) -> Listener:
    """Take a port of this machine; 0 takes any.

    Raises: Illegal when another program has it
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as taken:
        listener.close()
        raise Illegal("port", port, f"another program listens there; choose another with --port ({taken})") from taken
    listener.set_inheritable(False)
    return listener
