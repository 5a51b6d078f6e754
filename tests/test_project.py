"""The repository as a project: what it installs, ships, imports, and how it is written.

Rules that a tool checks (ruff, mypy) are not repeated here.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import whitecrow

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "whitecrow"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
MODULES = sorted(PACKAGE.rglob("*.py"))
# Each of them brings a build of torch that it was compiled against.
TORCH_COMPANIONS = {"torchvision", "torchaudio", "torchtext", "timm"}


def pins() -> dict[str, str]:
    """Read constraints.txt: name -> the one version."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines), "constraints are exact"
    return {canonicalize_name(name): v for name, v in (s.split("==") for s in lines)}


def requirements(extra: str = "") -> list[Requirement]:
    """Requirements that pyproject.toml declares, of an extra or of the core."""
    listed = EXTRAS[extra] if extra else PROJECT["project"]["dependencies"]
    return [Requirement(line) for line in listed]


def needed(requirement: Requirement) -> Iterator[Requirement]:
    """Walk through what an installed distribution needs on this machine."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [requirement]
    while queue:
        current = queue.pop()
        key = (canonicalize_name(current.name), frozenset(current.extras))
        if key in seen:
            continue
        seen.add(key)
        yield current
        queue += _direct(current)


@cache
def _metadata(name: str) -> tuple[str, ...]:
    try:
        return tuple(metadata.requires(name) or ())
    except metadata.PackageNotFoundError:
        return ()  # an extra that nobody installed here; the slow test resolves it


def _direct(requirement: Requirement) -> list[Requirement]:
    if canonicalize_name(requirement.name) == "whitecrow":
        return [line for extra in requirement.extras for line in requirements(extra)]
    parts = [Requirement(line) for line in _metadata(requirement.name)]
    asked = requirement.extras or {""}
    return [
        part
        for part in parts
        if part.marker is None or any(part.marker.evaluate({"extra": e}) for e in asked)
    ]


# ------------------------------------------------------------------ installing


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_no_extra_plans_another_torch(extra: str) -> None:
    tested = pins()
    closure = [r for root in requirements(extra) for r in needed(root)]
    names = {canonicalize_name(requirement.name) for requirement in closure}
    assert not names & TORCH_COMPANIONS
    for requirement in closure:
        if requirement.name == "torch":
            assert requirement.specifier.contains(tested["torch"])
    assert names - {"whitecrow"} <= tested.keys(), "constraints.txt lacks some"


def test_torch_has_a_lower_bound_and_nothing_else() -> None:
    (torch,) = [r for r in requirements() if r.name == "torch"]
    assert [s.operator for s in torch.specifier] == [">="]
    assert not {"torch", *TORCH_COMPANIONS} & {
        r.name for extra in EXTRAS for r in requirements(extra)
    }


def test_constraints_pin_torch_alone_among_its_family() -> None:
    tested = pins()
    assert tested["torch"] == "2.13.0"
    assert not TORCH_COMPANIONS & tested.keys()
    assert not [name for name in tested if name.startswith(("nvidia", "triton"))]


@pytest.mark.slow
def test_pip_plans_no_torch_for_any_extra() -> None:
    """What pip would install over the environment that runs this test."""
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--quiet"]
    wanted = f"{ROOT}[{','.join(EXTRAS)}]"
    run = subprocess.run(
        [*pip, "--report", "-", "-c", str(ROOT / "constraints.txt"), wanted],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    planned = {
        canonicalize_name(item["metadata"]["name"])
        for item in json.loads(run.stdout)["install"]
    }
    assert "whitecrow" in planned
    assert not planned & {"torch", *TORCH_COMPANIONS}


def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"whitecrow-{whitecrow.__version__}-py3-none-any.whl"
    inside = {
        name for name in zipfile.ZipFile(wheel).namelist() if "-info/" not in name
    }
    written = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert inside == written
    assert "whitecrow/py.typed" in inside


def test_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (.*)$", text, re.MULTILINE)
    assert first, "no version in the changelog"
    assert whitecrow.__version__ in first[1]


# ------------------------------------------------------------------- importing


def test_imports_point_one_way() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_declared_packages_are_imported() -> None:
    """Of what is installed for development, nothing is needed by the package."""
    owners = metadata.packages_distributions()
    declared = {
        canonicalize_name(r.name) for extra in ("", "dask") for r in requirements(extra)
    }
    # Checks of other people's detectors try a data frame where there are data frames.
    optional = {("checks.py", "pandas")}
    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in MODULES
        for name in imported(path)
        if name != "whitecrow"
        and (path.name, name) not in optional
        and name not in sys.stdlib_module_names
        if not declared & {canonicalize_name(d) for d in owners.get(name, [name])}
    }
    assert not foreign


def test_every_extra_for_users_has_code() -> None:
    """An extra that nothing imports installs packages for nothing."""
    for extra in EXTRAS.keys() - {"bench", "docs", "dev"}:
        names = {canonicalize_name(r.name) for r in requirements(extra)}
        assert names & {name for path in MODULES for name in imported(path)}, extra


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_shapes_are_checked_in_this_run() -> None:
    """A column of losses beside a row of labels would broadcast to a square."""
    rule = whitecrow.supervision.unlabelled
    codes = torch.zeros(8, dtype=torch.int8)
    with pytest.raises(TypeCheckError):
        rule(l_n=torch.ones(8, 1), l_a=None, y=codes)


# --------------------------------------------------------------------- writing


# Tests of several modules, by what they try: what people bring, all methods, the whole.
ACROSS = {
    *(
        "benchmarks",
        "cases",
        "old",
        "behaviour",
        "docs",
        "family",
        "presets",
        "project",
    ),
    *("public_names", "site", "sklearn_contract", "typing", "cli/errors", "cli/start"),
    *("cli/installed", "cli/prepare", "data/fuzz_formats", "data/kinds/kinds_matrix"),
    *("data/kinds/kinds_properties", "detectors/mixture_detectors", "web/many"),
    *("web/page", "web/pool"),
}


def test_tests_mirror_the_package() -> None:
    modules = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in MODULES}
    packages = {name.removesuffix("/__init__") for name in modules}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place = path.relative_to(ROOT / "tests")
        stem = path.stem.removeprefix("test_")
        whole = stem == place.parent.name  # of a package as such
        name = (place.parent if whole else place.parent / stem).as_posix()
        across = {name, name.replace("cli/cli_", "cli/"), place.parts[0]} & ACROSS
        assert name in packages or across, f"{place} tests no module of its name"


def test_functions_are_short() -> None:
    """No function over 60 lines, nine in ten under 45, the docstring not counted."""
    lengths = {
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}": body_lines(node)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: n for name, n in lengths.items() if n > 60}
    assert np.quantile(list(lengths.values()), 0.9) < 45


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from its `def`, less those of its docstring."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def test_one_file_knows_devices() -> None:
    assert {path.name for path in MODULES if names_cuda(path)} <= {"device.py"}


def names_cuda(path: Path) -> bool:
    """Whether code (not prose) says "cuda": a device string, an attribute, a call."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    said = {str(n.value) for n in nodes if isinstance(n, ast.Constant)}
    said |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    return any(re.fullmatch(r"cuda(:\d+)?", word) for word in said)


def test_nothing_seeds_the_process() -> None:
    """Only device.py touches a global generator, and puts it back."""
    calls = r"torch\.(cuda\.)?manual_seed\(|\bnp\.random\.seed\(|\brandom\.seed\("
    found = [p.name for p in MODULES if re.search(calls, p.read_text(encoding="utf-8"))]
    assert set(found) <= {"device.py"}


def test_tracked_files_name_no_machine() -> None:
    """Paths of somebody's machine and hosts of registries help nobody else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    # Written in parts, so that this file passes too.
    words = ["/" + "work/", "/" + "home/", "/" + "root/", "pypi" + ".org"]
    words += ["python" + "hosted", "registry.npm" + "js"]
    foreign = re.compile("|".join(map(re.escape, words)).encode())
    texts = {
        name: (ROOT / name).read_bytes()
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file()
    }
    hits = {name: m[0] for name, b in texts.items() if (m := foreign.search(b))}
    assert not hits
