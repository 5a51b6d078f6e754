"""Nobody but the person at this machine: token, Host, Origin, sizes, headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from driving import TOKEN, client_of
from starlette.testclient import TestClient

from whitecrow.web.guard import LARGEST_BODY, LARGEST_IMPORT, Guard
from whitecrow.web.routes import build
from whitecrow.web.session import Session

BODY = {"id": 0, "answer": "normal", "seen": None}
PATHS = [
    "/",
    "/static/page.js",
    "/api/state",
    "/api/rows",
    "/api/export/csv",
    "/nowhere",
]


def stranger(session: Session, host: str = "127.0.0.1") -> TestClient:
    guarded = Guard(build(session), token=TOKEN, host=host, port=8000)
    return TestClient(guarded, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cookie", ["", "wrong", f"{TOKEN}x", "ä"])
def test_without_the_token_there_is_nothing(
    session: Session, path: str, cookie: str
) -> None:
    client = stranger(session)
    header = f"whitecrow-8000={cookie}".encode()
    reply = client.get(path, headers=[(b"cookie", header)] if cookie else None)
    assert reply.status_code == 403
    assert "terminal" in reply.text
    assert client.get(f"{path}?token=wrong").status_code == 403
    assert session.loop.state.verdicts() == {}


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(
    session: Session,
) -> None:
    client = stranger(session)
    reply = client.get(f"/?token={TOKEN}")
    assert TOKEN not in reply.text
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/").status_code == 200
    assert client.get("/api/state").status_code == 200


def test_the_token_opens_the_front_door_only(session: Session) -> None:
    assert stranger(session).get(f"/api/state?token={TOKEN}").status_code == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example:8000", "127.0.0.1:8001", "127.0.0.1", "", "localhost.evil:8000"],
)
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/state", headers={"Host": host}).status_code == 400
    assert client.get(f"/?token={TOKEN}", headers={"Host": host}).status_code == 400


def test_names_of_this_machine_are_accepted(client: TestClient) -> None:
    reply = client.get(f"/?token={TOKEN}", headers={"Host": "localhost:8000"})
    assert reply.status_code == 200


def test_any_host_where_the_user_listens_everywhere(session: Session) -> None:
    client = stranger(session, "0.0.0.0")
    headers = {"Host": "box.local:8000"}
    assert client.get("/api/state", headers=headers).status_code == 403
    assert client.get(f"/?token={TOKEN}", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000"],
)
def test_other_origins_change_nothing(client: TestClient, origin: str) -> None:
    for path in ("/api/answer", "/api/undo", "/api/import", "/api/finish"):
        reply = client.post(path, json=BODY, headers={"Origin": origin})
        assert reply.status_code == 403
    assert client.get("/api/state").json()["state"]["used"] == 0


def test_a_change_without_an_origin_is_refused(client: TestClient) -> None:
    del client.headers["Origin"]
    assert client.post("/api/answer", json=BODY).status_code == 403


def test_other_sites_may_link_to_the_page_and_read_nothing(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/api/export/csv", headers=headers).status_code == 403
    assert client.get("/api/state", headers=headers).status_code == 403


def test_large_requests_are_refused_unread(client: TestClient) -> None:
    reply = client.post("/api/answer", content=b" " * (LARGEST_BODY + 1))
    assert reply.status_code == 413
    headers = {"Content-Length": str(LARGEST_IMPORT + 1)}
    assert client.post("/api/import", content=b"", headers=headers).status_code == 413


def test_requests_of_unknown_length_are_refused(client: TestClient) -> None:
    reply = client.post("/api/answer", content=iter([b"{}"]))
    assert reply.status_code == 411


@pytest.mark.parametrize(
    "path",
    [
        "/static/../routes.py",
        "/static/..%2f..%2froutes.py",
        "/static/%2e%2e/routes.py",
        "/static//etc/passwd",
        "/static/..\\routes.py",
        "/picture/../../etc/passwd",
        "/api/export/..%2f..%2fanswers.db",
        "/picture/-1",
        "/picture/1e3",
    ],
)
def test_no_path_leads_out(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_every_reply_has_the_headers(make: Callable[..., Session], table: Path) -> None:
    client = client_of(make(table))
    for path in (*PATHS, f"/?token={TOKEN}"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/static/page.js", "/static/page.css", "/static/report.css"):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
    page = client.get("/").text
    assert "style=" not in page
    assert "onclick" not in page
    assert len(client.get("/static/page.js").content) < 40_000
