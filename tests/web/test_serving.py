"""The command as a process: its address, its end, and a power cut at any moment."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Server, answer

from whitecrow.active import Store, replay
from whitecrow.cli import main
from whitecrow.web import serving

Serve = Callable[..., Server]
FAST = ("--method", "hbos", "--budget", "80")


def complaints(err: str) -> list[str]:
    """Lines of stderr that are not the progress of a stage."""
    return [line for line in err.splitlines() if not line.endswith(" ...")]


def test_it_listens_on_this_machine_only(serve: Serve, table: Path) -> None:
    server = serve(table, *FAST)
    assert server.url.startswith("http://127.0.0.1:")
    assert len(server.url.partition("token=")[2]) >= 32
    outside = socket.gethostbyname(socket.gethostname())
    if not outside.startswith("127."):
        port = int(server.origin.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((outside, port), timeout=5)


def test_the_parts_of_a_reply_do_not_wait_for_each_other() -> None:
    """Otherwise each answer takes 40 ms more: Nagle's algorithm and delayed ACKs."""

    async def option_of_a_connection() -> int:
        found = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ours = writer.get_extra_info("socket")
            found.set_result(ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with serving.listen("127.0.0.1", 0) as address:
            async with await asyncio.start_server(connected, sock=address.sock):
                _, ours = await asyncio.open_connection("127.0.0.1", address.port)
                value = int(await found)
                ours.close()
                return value

    assert asyncio.run(option_of_a_connection()) != 0


def test_ctrl_c_says_where_the_answers_are_and_the_command_goes_on(
    serve: Serve, table: Path, tmp_path: Path
) -> None:
    server = serve(table, *FAST)
    with server.client() as client:
        queue = client.get("/api/state").json()["queue"]
        answer(client, queue[0], "anomaly")
    code, _, err = server.interrupt()
    assert code == 130
    assert len(complaints(err)) == 1
    assert "answers.db" in err
    assert "same command" in err
    again = serve(table, *FAST)
    with again.client() as client:
        reply = client.get("/api/state").json()
    assert reply["state"]["counts"]["anomaly"] == 1
    assert reply["queue"][0]["id"] == queue[1]["id"]


def test_after_finishing_ctrl_c_is_a_success(
    serve: Serve, table: Path, tmp_path: Path
) -> None:
    server = serve(table, *FAST)
    with server.client() as client:
        queue = client.get("/api/state").json()["queue"]
        answer(client, queue[0], "anomaly")
        answer(client, queue[1], "normal")
        client.post("/api/finish", json={})
        while not client.get("/api/state").json()["state"]["finish"]["done"]:
            time.sleep(0.1)
    code, out, err = server.interrupt()
    assert (code, complaints(err)) == (0, [])
    assert "written to" in out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"labels.parquet", "model.crow", "report.html"} <= written


def test_an_old_address_does_not_open_a_new_start(serve: Serve, table: Path) -> None:
    first = serve(table, *FAST)
    second = serve(table, *FAST)
    token = first.url.partition("?")[2]
    with second.client() as client:
        client.cookies.clear()
        assert client.get(f"/?{token}").status_code == 403


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "lofty"), "no method 'lofty'"),
        (("--strategy", "best"), "best"),
        (("--budget", "0"), "budget"),
        (("--port", "99999"), "--port 99999"),
        (("--host", "192.0.2.1"), "cannot listen"),
        (("--annotator", " "), "annotator"),
        (("--annotator", "the data"), "came with"),
        (("--ask-again", "-3"), "ask_again=-3"),
        (("--use-labels",), "has no labels; name their column with --label-column"),
    ],
)
def test_bad_options_are_one_line(
    table: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main(["label", str(table), *words, "--no-browser", "-o", str(out)]) == 2
    told, err = capsys.readouterr()
    assert (told, len(complaints(err))) == ("", 1)
    assert said in complaints(err)[0]


def test_labels_of_the_data_are_used_where_asked_for(
    serve: Serve, table: Path, tmp_path: Path
) -> None:
    lines = table.read_text().splitlines()
    known = [
        "known",
        *(str(int(row >= 72)) if row % 8 == 7 else "" for row in range(80)),
    ]
    path = tmp_path / "labelled.csv"
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, known, strict=True)))
    words = ("--label-column", "known", "--use-labels", "--model.epochs", "3")
    server = serve(path, *words, "--budget", "9", "--ask-again", "0")
    with server.client() as client:
        reply = client.get("/api/state").json()
    assert reply["state"]["left"] == 9
    assert reply["state"]["model"].endswith("learnt from 10 labels of the data.")
    assert not [one for one in reply["queue"] if one["id"] % 8 == 7]


def test_a_taken_port_is_one_line(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["label", str(table), "--port", port, "-o", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--port 0" in err


def test_a_folder_of_other_data_is_one_line(
    serve: Serve, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(table, *FAST)
    words = ["label", "breast_cancer", *FAST, "-o", str(tmp_path / "out")]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert len(complaints(err)) == 1
    assert "other data" in err


def acknowledged(server: Server, moment: float) -> dict[int, str]:
    """Answer until the process is killed, `moment` seconds from now."""
    timer = threading.Timer(moment, server.process.kill)
    confirmed: dict[int, str] = {}
    with server.client() as client:
        timer.start()
        try:
            reply = client.get("/api/state").json()
            while True:
                for question in reply["queue"]:
                    word = "anomaly" if question["id"] >= 72 else "normal"
                    values = {"id": question["id"], "answer": word, "seen": None}
                    said = client.post("/api/answer", json=values)
                    if said.status_code == 200:
                        confirmed[question["id"]] = word
                reply = client.get("/api/state").json()
        except Exception:  # the server is gone, wherever that was noticed
            server.process.wait(timeout=30)
    return confirmed


def lost(folder: Path, confirmed: dict[int, str]) -> dict[int, str]:
    with Store(folder / "answers.db") as store:
        state = replay(store.read())
    return {row: word for row, word in confirmed.items() if state.verdict(row) != word}


def test_a_power_cut_loses_no_answer(serve: Serve, table: Path, tmp_path: Path) -> None:
    confirmed = acknowledged(serve(table, *FAST), 0.5)
    assert confirmed
    assert lost(tmp_path / "out", confirmed) == {}
    with serve(table, *FAST).client() as client:
        assert client.get("/api/state").json()["state"]["used"] >= len(confirmed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fifty_power_cuts_lose_no_answer(
    serve: Serve, table: Path, tmp_path: Path
) -> None:
    """At random moments, from the first request on; a folder takes several of them."""
    moments = random.Random(0)
    total = 0
    confirmed: dict[int, str] = {}
    for cut in range(50):
        folder = tmp_path / f"out{cut // 5}"
        if cut % 5 == 0:
            confirmed = {}
        server = serve(table, *FAST, folder=folder)
        confirmed |= acknowledged(server, moments.uniform(0.0, 0.6))
        assert lost(folder, confirmed) == {}
        total += len(confirmed) if cut % 5 == 4 else 0
    assert total > 100
