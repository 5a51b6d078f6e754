"""Starting the page: a socket, an address with a token, a browser, and the end."""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from whitecrow.errors import ParameterError
from whitecrow.web.guard import Guard
from whitecrow.web.routes import build
from whitecrow.web.session import Session

__all__ = ["Address", "listen", "serve"]


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the page is.

    Attributes
    ----------
    sock : socket
        Bound: the port is ours before anything slow starts.
    host : str
    port : int
    token : str
        Opens the page.
    """

    sock: socket.socket
    host: str
    port: int
    token: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give the port back."""
        self.sock.close()

    @property
    def url(self) -> str:
        """Return the address to open in a browser."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.port}/?token={self.token}"


def listen(host: str, port: int) -> Address:
    """Take a port; 0 takes a free one.

    Raises
    ------
    ParameterError
        The port is taken or not allowed, or there is no such address here.
    """
    if not 0 <= port <= 65535:
        raise ParameterError(f"--port {port}: ports are numbers from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows that small packets are not to wait for each other.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(64)
    except OSError as error:
        sock.close()
        reason = error.strerror or error
        raise ParameterError(
            f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free port"
        ) from error
    taken = sock.getsockname()[1]
    return Address(sock=sock, host=host, port=taken, token=secrets.token_urlsafe(24))


def serve(
    session: Session, address: Address, *, ready: Callable[[str], None], browser: bool
) -> None:
    """Answer requests until somebody presses Ctrl-C.

    Parameters
    ----------
    session : Session
    address : Address
    ready : callable
        Called with the URL as soon as the page answers.
    browser : bool
        Open the page in the default browser.
    """
    import uvicorn

    guarded = Guard(
        build(session), token=address.token, host=address.host, port=address.port
    )
    config = uvicorn.Config(
        guarded,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)

    def announce() -> None:
        while not server.started:
            if server.should_exit or stopped.wait(0.02):
                return
        ready(address.url)
        if browser:
            webbrowser.open(address.url)

    stopped = threading.Event()
    herald = threading.Thread(target=announce, daemon=True)
    herald.start()
    try:
        # Raises KeyboardInterrupt again after a Ctrl-C, when all is closed.
        server.run(sockets=[address.sock])
    finally:
        stopped.set()
