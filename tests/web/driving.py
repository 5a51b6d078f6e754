"""A real `whitecrow label` process, and a client for its page."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from starlette.testclient import TestClient

from whitecrow.web.guard import Guard
from whitecrow.web.routes import build
from whitecrow.web.session import Session

TOKEN = "a-token"
ODD = "flow <b>"  # must be shown as it is

Reply = dict[str, Any]


class Server:
    """The command as a process, from its printed address to its end."""

    def __init__(self, source: str, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "whitecrow", "label", source, "--no-browser"]
        self.process = subprocess.Popen(
            [*command, "-o", str(folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell ignores Ctrl-C in what it runs in the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.said = ""
        self.url = self._wait()

    def _wait(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := re.match(r"page: (\S+)$", line):
                return found[1]
        assert self.process.stderr is not None
        raise AssertionError(self.process.stderr.read())

    @property
    def origin(self) -> str:
        return self.url.partition("/?")[0]

    @contextmanager
    def client(self) -> Iterator[httpx2.Client]:
        """A browser that has opened the printed address."""
        headers = {"Origin": self.origin}
        with httpx2.Client(
            base_url=self.origin, headers=headers, timeout=60, trust_env=False
        ) as client:
            assert client.get(self.url.removeprefix(self.origin)).status_code == 200
            yield client

    def kill(self) -> None:
        """As the power going off would."""
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> tuple[int, str, str]:
        """Ctrl-C; exit code, and what was said."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, self.said + out, err


def answer(client: Any, question: Reply, word: str) -> Reply:
    """Answer a question as the page does."""
    values = {"id": question["id"], "answer": word, "seen": question["seen"]}
    reply = client.post("/api/answer", json=values)
    assert reply.status_code == 200, reply.text
    return reply.json()


def client_of(session: Session) -> TestClient:
    """A browser at the page of a session, with the token."""
    guarded = Guard(build(session), token=TOKEN, host="127.0.0.1", port=8000)
    client = TestClient(guarded, base_url="http://127.0.0.1:8000")
    assert client.get(f"/?token={TOKEN}").status_code == 200
    client.headers["Origin"] = "http://127.0.0.1:8000"
    return client
