"""Downloads from a real server: the right file, or one line and nothing kept."""

from __future__ import annotations

import hashlib
import socket
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest

from whitecrow.data import catalog, download
from whitecrow.data.source import open_source
from whitecrow.errors import DataError

BODY = bytes(range(256)) * 2000


class Server(ThreadingHTTPServer):
    """Serves BODY under several behaviours and counts the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = Counter()
        self.bodies = {"/good.npz": BODY, "/wrong.npz": BODY[:-1] + b"!"}

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.requests[self.path] += 1
        if self.path == "/truncated.npz":
            self.answer(BODY[: len(BODY) // 2], length=len(BODY))
        elif self.path == "/unsized.npz":
            self.answer(BODY[: len(BODY) // 2], length=None)
        elif self.path == "/moved.npz":
            self.send_response(302)
            self.send_header("Location", "/good.npz")
            self.end_headers()
        elif self.path in self.server.bodies:
            self.answer(self.server.bodies[self.path], length=len(BODY))
        else:
            self.send_error(404)

    def answer(self, body, length):
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("WHITECROW_CACHE", str(folder))
    monkeypatch.setattr("whitecrow.data.places.places", list)
    return folder


def entry(url):
    sha256 = hashlib.sha256(BODY).hexdigest()
    return replace(catalog.get("cardio"), where="sub/set.npz", url=url, sha256=sha256)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_set_is_fetched_once_and_then_taken_from_the_cache(server, cache):
    wanted = entry(server.url("good.npz"))
    path = download.fetch(wanted)
    assert path == cache / "sub" / "set.npz"
    assert path.read_bytes() == BODY
    assert files(cache) == [path]
    assert download.fetch(wanted) == path
    assert server.requests == {"/good.npz": 1}


def test_another_folder_and_a_redirect(server, tmp_path):
    path = download.fetch(entry(server.url("moved.npz")), folder=tmp_path / "mine")
    assert path == tmp_path / "mine" / "sub" / "set.npz"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrong.npz", "what came is not the file with sha256"),
        ("truncated.npz", "the transfer broke off after 256000 bytes"),
        ("unsized.npz", "what came is not the file with sha256"),
        ("absent.npz", "the server answered 404 Not Found"),
    ],
)
def test_anything_else_is_one_line_and_leaves_no_file(server, cache, name, reason):
    wanted = entry(server.url(name))
    with pytest.raises(DataError) as caught:
        download.fetch(wanted)
    message = str(caught.value)
    assert reason in message
    for word in (wanted.name, wanted.url, wanted.source, "WHITECROW_DATA"):
        assert word in message
    assert "\n" not in message
    assert files(cache) == []


def test_no_server_is_one_line(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set.npz"
        with pytest.raises(DataError, match="Connection refused") as caught:
            download.fetch(entry(url))
    assert "\n" not in str(caught.value)
    assert files(cache) == []


def test_an_altered_file_in_the_cache_is_replaced(server, cache):
    wanted = entry(server.url("good.npz"))
    path = download.fetch(wanted)
    path.write_bytes(b"altered")
    assert download.fetch(wanted).read_bytes() == BODY
    assert server.requests["/good.npz"] == 2


def test_an_altered_file_in_the_cache_is_never_returned(server, cache):
    wanted = entry(server.url("wrong.npz"))
    path = cache / wanted.where
    path.parent.mkdir(parents=True)
    path.write_bytes(b"altered")
    with pytest.raises(DataError):
        download.fetch(wanted)


def test_a_cache_that_cannot_be_written_is_one_line(server, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError) as caught:
        download.fetch(entry(server.url("good.npz")))
    assert "\n" not in str(caught.value)


def test_without_an_address_nothing_is_asked_for(cache):
    with pytest.raises(DataError, match="has no address") as caught:
        download.fetch(entry(None))
    assert catalog.get("cardio").terms in str(caught.value)


def test_a_set_asked_for_by_name_is_fetched_read_and_kept(
    server, cache, monkeypatch, tmp_path
):
    X, y = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 0, 0, 1])
    np.savez(tmp_path / "set.npz", X=X, y=y)
    body = (tmp_path / "set.npz").read_bytes()
    server.bodies["/own.npz"] = body
    monkeypatch.setattr(Handler, "answer", _answer_with_true_length)
    wanted = replace(
        entry(server.url("own.npz")),
        name="own",
        sha256=hashlib.sha256(body).hexdigest(),
    )
    monkeypatch.setattr(catalog, "_entries", lambda: {"own": wanted})
    assert not catalog.is_available("own")
    assert sum(server.requests.values()) == 0
    assert len(open_source("own").rows()) == 6
    assert catalog.is_available("own")
    open_source("own")
    assert server.requests == {"/own.npz": 1}


def _answer_with_true_length(self, body, length):
    self.send_response(200)
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body)


def test_the_cache_is_the_users_unless_said_otherwise(monkeypatch):
    monkeypatch.delenv("WHITECROW_CACHE", raising=False)
    assert download.cache_folder().name == "whitecrow"
    monkeypatch.setenv("WHITECROW_CACHE", "~/elsewhere")
    assert download.cache_folder().parts[-1] == "elsewhere"
    assert download.cache_folder().is_absolute()
