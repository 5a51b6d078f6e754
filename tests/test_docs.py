"""The documentation against the code: examples run, and nothing is left out.

Every Python block of a page runs, in order and in one namespace. Commands of console
blocks are parsed; those under a line `<!-- run -->` run too, in order, in one folder.
`<!-- run: real data -->`, above either kind, is for where the real sets are found.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import docstring_parser
import pytest

import whitecrow as wc
from whitecrow.cli import app, main
from whitecrow.deep import DeepDetector

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>run[^>]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


REAL = "run: real data"


class Command(NamedTuple):
    """One line of a console block that starts whitecrow."""

    page: str
    line: str
    mark: str | None

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[re.Match[str]]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [match for match in found if match["language"] in languages]


def commands() -> list[Command]:
    return [
        Command(name(page), line, block["mark"])
        for page in PAGES
        for block in blocks(page, "console", "bash", "shell")
        for line in joined(block["body"])
        if line.startswith("whitecrow ")
    ]


def joined(body: str) -> list[str]:
    """Lines as a shell reads them: without prompt and comment, continued ones whole."""
    whole = re.sub(r"\\\n\s*", "", body)
    return [line.strip().removeprefix("$ ") for line in whole.splitlines()]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


def command_names() -> set[str]:
    return {name for name in app if not name.startswith("-")}


# -------------------------------------------------------------------- examples


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name)
def test_python_blocks_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    if REAL in {block["mark"] for block in blocks(page, "python")}:
        monkeypatch.setenv("WHITECROW_DATA", str(request.getfixturevalue("real_data")))
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        above = text.count("\n", 0, block.start("body"))
        code = "\n" * above + textwrap.dedent(block["body"])  # keeps line numbers
        # Without the `from __future__` of this file, as a reader runs it.
        exec(compile(code, str(page), "exec", dont_inherit=True), namespace)


@pytest.mark.parametrize(
    "module",
    [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        for path in sorted(SOURCE.rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ],
)
def test_docstring_examples_run(module: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(module), optionflags=options)
    assert result.attempted, "examples that doctest does not find"
    assert not result.failed


# ------------------------------------------------------------- a method of your own


OWN = ROOT / "docs" / "own_method.md"


def test_own_methods_stay_short() -> None:
    """A method on the page is one block, with its network: under 120 lines."""
    found = {}
    for block in blocks(OWN, "python"):
        for node in ast.parse(block["body"]).body:
            bases = [
                b.id for b in getattr(node, "bases", []) if isinstance(b, ast.Name)
            ]
            if isinstance(node, ast.ClassDef) and {*bases} & {
                "DeepDetector",
                "Detector",
            }:
                found[node.name] = block["body"].count("\n")
    assert found.keys() == {"RND", "DCN", "ModifiedZ"}
    assert max(found.values()) < 120


def test_the_own_method_page_explains_every_hook_and_fact() -> None:
    page = OWN.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)(?:\(.*?\))?` \|", page, re.MULTILINE))
    source = inspect.getsource(DeepDetector)
    said = source[source.index("--- what a method says") :]
    said = said[: said.index("--- what users call")]
    hooks = set(re.findall(r"def (\w+)\(", said))
    assert len(hooks) == 7
    assert hooks <= rows
    facts = rows - hooks
    assert {"has_l_a", "uses_labels", "input_kinds", "explanation"} < facts
    assert all(hasattr(DeepDetector, fact) for fact in facts)


# -------------------------------------------------------------------- commands


@pytest.mark.parametrize("command", commands(), ids=str)
def test_commands_parse(command: Command) -> None:
    app.parse_args(words(command.line), print_error=False, exit_on_error=False)


@pytest.mark.parametrize(
    ("page", "mark"), sorted({(c.page, c.mark) for c in commands() if c.mark})
)
def test_marked_commands_run(
    page: str,
    mark: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    if mark == REAL:
        monkeypatch.setenv("WHITECROW_DATA", str(request.getfixturevalue("real_data")))
    else:
        assert mark == "run"
    for command in commands():
        if (command.page, command.mark) == (page, mark):
            code = main(words(command.line))
            assert code == 0, f"{command.line}\n{capsys.readouterr().err}"


def test_every_command_is_described() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ `?(?:whitecrow )?([\w-]+)`?", page, re.MULTILINE))
    assert command_names() <= headings


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name)
def test_only_commands_that_exist_are_mentioned(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    mentioned = set(re.findall(r"`(?:\$ )?whitecrow ([a-z][\w-]*)", text))
    assert mentioned <= command_names()


def test_the_api_page_lists_what_modules_offer() -> None:
    """What moved away would be missing from the page without a word."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    entry = r"^::: (whitecrow\.[a-z_.]+)\n(?: +.*\n)*? +members: \[([^\]]*)\]"
    listed = {
        (module, member)
        for module, members in re.findall(entry, page, re.MULTILINE)
        for member in re.findall(r"\w+", members)
    }
    assert ("whitecrow.active.judging", "Comparison") in listed
    missing = {
        (module, member)
        for module, member in listed
        if member not in importlib.import_module(module).__all__
    }
    assert missing == set()


# --------------------------------------------------------------------- methods


@pytest.mark.parametrize("method", wc.methods(), ids=lambda m: m.name)
def test_every_method_has_a_page(method: Any) -> None:
    page = ROOT / "docs" / "methods" / f"{method.name}.md"
    text = page.read_text(encoding="utf-8")
    assert method.class_name in text
    assert str(method.year) in text


def test_every_page_in_methods_is_of_a_method() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "methods").glob("*.md")}
    assert pages == {method.name for method in wc.methods()} | {"index", "wrap"}


@pytest.mark.parametrize("method", wc.methods(), ids=lambda m: m.name)
def test_every_parameter_is_described(method: Any) -> None:
    documented = docstring_parser.parse(
        method.cls.__doc__, docstring_parser.DocstringStyle.NUMPYDOC
    )
    names = [
        name.strip()
        for parameter in documented.params
        if parameter.args[0] == "param"
        for name in parameter.arg_name.split(",")
    ]
    assert names == list(inspect.signature(method.cls).parameters)
    assert documented.examples, "no example"
