"""What tests of the labelling page share: data, a session, a client, a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import ODD, Server, client_of
from starlette.testclient import TestClient

from whitecrow.choose import choose
from whitecrow.data.labelling import Labelling
from whitecrow.data.source import Reading, open_source
from whitecrow.learning import for_training
from whitecrow.web.session import Session, Settings


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 rows, of which the last eight are odd; no labels."""
    rng = np.random.default_rng(0)
    lines = [f"{ODD},load,colour"]
    for row in range(80):
        odd = row >= 72
        flow = rng.normal(50, 3) + 60 * odd
        colour = "violet" if odd else rng.choice(["red", "green"])
        lines.append(f"{flow:.2f},{rng.normal(150, 9):.1f},{colour}")
    path = tmp_path_factory.mktemp("data") / "pumps.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 small grey pictures; those called odd have a white bar."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("pictures") / "parts"
    folder.mkdir()
    for row in range(40):
        waves = 110 + 30 * np.sin(np.arange(48) / 4) + rng.normal(0, 4, (48, 48))
        pixels = waves.astype(np.uint8)
        odd = row % 8 == 3
        if odd:
            pixels[20:24, 8:30] = 255
        Image.fromarray(pixels).save(folder / f"{row:02d}{'_odd' if odd else ''}.png")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """A function that starts a session; all are closed afterwards."""
    opened = []

    def start(
        source: Path,
        *,
        method: str = "hbos",
        budget: int | None = 30,
        annotator: str = "me",
        folder: Path = tmp_path,
        strategy: str = "positive",
        labelling: Labelling | None = None,
        **further: Any,
    ) -> Session:
        reading = Reading(labels=labelling or Labelling())
        opened_source = open_source(str(source), for_training(reading))
        data = opened_source.rows()
        choice = choose(data.kind, method, use_labels=True)
        settings = Settings(
            folder=folder,
            budget=budget,
            strategy=strategy,
            annotator=annotator,
            ignore=further.pop("ignore", opened_source.ignore),
            **further,
        )
        session = Session(data, choice, settings)
        opened.append(session)
        session.start()
        return session

    yield start
    for session in opened:
        session.close()


@pytest.fixture
def session(make: Callable[..., Session], table: Path) -> Session:
    return make(table)


@pytest.fixture
def client(session: Session) -> Iterator[TestClient]:
    with client_of(session) as client:
        yield client


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts `whitecrow label`; all are ended afterwards."""
    started = []

    def start(source: object, *words: str, folder: Path = tmp_path / "out") -> Server:
        server = Server(str(source), folder, *words)
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()
