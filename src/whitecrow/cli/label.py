"""`whitecrow label`: answer questions about rows or pictures in the browser."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from whitecrow.cli import _common
from whitecrow.cli._common import Output
from whitecrow.cli._options import (
    Data,
    Flag,
    Into,
    LabelOptions,
    MethodOptions,
    PictureSize,
    ReadAs,
    Whole,
)

if TYPE_CHECKING:
    from whitecrow.web.serving import Address
    from whitecrow.web.session import Session

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow label breast_cancer --budget 30"


def command(
    data: Data,
    /,
    *,
    output: Into = None,
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    read_as: ReadAs = (),
    strategy: str = "aad",
    budget: Whole = 100,
    annotator: str = "me",
    use_labels: Flag = False,
    ask_again: Whole = 20,
    picture_size: PictureSize = None,
    host: str = "127.0.0.1",
    port: Whole = 0,
    no_browser: Flag = False,
) -> None:
    """Label the rows that teach a detector most, on a page in the browser.

    Every answer is on disk before the page confirms it, and the same command with the
    same folder goes on where it stopped. The page writes labels.parquet and the files
    of `whitecrow detect` into the folder.

    Parameters
    ----------
    data
        As for `whitecrow detect`. Labels that they have only measure the detector,
        unless `--use-labels` is given.
    output
        A folder for the answers and what comes of them; by default named after the
        data, as in `pumps-labels` for pumps.csv.
    read_as
        How to read a column, as in `--read-as when=month-first`; see
        `whitecrow detect --help`. May be given several times.
    strategy
        How questions are chosen: `aad` finds most anomalies, `mixed` and `kmeans` cover
        the data too; also `positive`, `margin`, `random` and others.
    budget
        How many questions to answer; a skipped one costs nothing.
    annotator
        Who answers. Several people may label into one folder, each with a page.
    use_labels
        Learn from the labels of the data too, as from answers of somebody else.
    ask_again
        After so many questions, ask one again that was answered long ago, without its
        answer, to see how sure the answers are; 0 asks nothing twice.
    host
        The address to listen on; the default is reachable from this machine only.
    port
        The port to listen on; 0 takes a free one.
    no_browser
        Print the address of the page, and open nothing.
    """
    from whitecrow import files, findings
    from whitecrow.web import serving
    from whitecrow.web.session import STORE, Session, Settings

    out = Output()
    place = output or _common.default_folder(data, "labels")
    written = ("labels.parquet", "agreement.csv", *findings.FILES)
    folder = files.out_folder(place, (STORE, *written), _common.inputs(data))
    # A database of another program is refused where it is opened.
    files.refuse_foreign(folder / name for name in written)
    reading = labels.reading(read_as, picture_size)
    with serving.listen(host, port) as address, ExitStack() as closing:
        with out.training() as progress:
            source, rows, columns = _common.opened(data, reading, progress)
            # What learns from labelled pictures takes minutes for a fit.
            choice = method.choose(rows.kind, use_labels=rows.kind == "table")
            settings = Settings(
                folder=folder,
                budget=budget,
                strategy=strategy,
                annotator=annotator,
                use_labels=use_labels,
                ask_again=ask_again or None,
                ignore=source.ignore,
                read_as=columns,
            )
            session = Session(rows, choice, settings)
            closing.callback(session.close)
            progress.stage(f"fitting {choice.method.name}")
            session.start()
        _common.say_notes(session.notes, out)
        out.line(_common.method_line(choice))
        _serve(session, address, out, browser=not no_browser)


def _serve(session: Session, address: Address, out: Output, *, browser: bool) -> None:
    from whitecrow.web import serving

    def ready(url: str) -> None:
        out.line(f"page: {url}")
        out.line("Ctrl-C ends it; the answers are kept")
        out.flush()

    try:
        serving.serve(session, address, ready=ready, browser=browser)
    except KeyboardInterrupt:
        if not session.finishing.done:
            raise KeyboardInterrupt(_goodbye(session)) from None
        out.line(f"written to {session.settings.folder}")


def _goodbye(session: Session) -> str:
    from whitecrow.web.session import STORE

    store = session.settings.folder / STORE
    return f"the answers are in {store}; the same command goes on with them"
