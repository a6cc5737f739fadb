"""The package polices itself: its shape, its imports, its words, and the files around it."""

import ast
import base64
import functools
import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from tests.support.notebooks import ROOT, load, local_links, paths, pictures
from tests.support.source import imports

PACKAGE = ROOT / "cachelab"
MAX_LINES = 200
LAYERS = {
    "clock": 0,
    "entry": 0,
    "events": 1,
    "fence": 1,
    "eviction": 1,
    "memory": 2,
    "cachetools_store": 2,
    "codec": 2,
    "round_trips": 2,
    "redis_store": 3,
    "freshness": 1,
    "locked": 3,
    "flight": 2,
    "thread_flight": 2,
    "cache": 3,
}
"""A module imports from lower layers only. A new room of the package gets its layer here."""
NAMES, LAB, COMMAND_LINE = 4, 5, 6
"""`import cachelab` collects the names of the strategies; the lab stands above them, the command line above all."""
NO_STRATEGY = {"__init__", "__main__", "clock", "entry", "events"}
LABELS = ["Problem", "Idea", "Guarantee", "Not guaranteed", "Cost", "Source"]
SLOW_TO_IMPORT = {
    "IPython",
    "cachetools",
    "fakeredis",
    "ipywidgets",
    "matplotlib",
    "msgspec",
    "numpy",
    "pandas",
    "redis",
}
TOP_LEVEL = {"notebooks", "cachelab", "tests", "environment.yml", "README.md", "pyproject.toml"}
COMMANDS = ["python -m cachelab lab", "python -m cachelab test"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "redis": "redis-py"}
"""Where conda-forge's name differs from that of the Python package index."""
CONDA_ONLY = {"python", "pip", "redis-server", "lupa"}
"""The interpreter, a server that is no Python package, and what an extra (fakeredis[lua]) stands for."""

MODULES = sorted(PACKAGE.rglob("*.py"))
STRATEGIES = [path for path in MODULES if "lab" not in path.parts and path.stem not in NO_STRATEGY]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def name(path: Path) -> str:
    """A file's path inside the project, with slashes on every system; the test ids."""
    return path.relative_to(ROOT).as_posix()


every_module = pytest.mark.parametrize("path", MODULES, ids=name)
every_strategy = pytest.mark.parametrize("path", STRATEGIES, ids=name)


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(path: Path) -> str:
    """The name under which a module of the package is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer(module: str) -> int:
    """How high a module of the package stands."""
    _, _, inside = module.partition(".")
    first = inside.partition(".")[0]
    layers = LAYERS | {"": NAMES, "lab": LAB, "__main__": COMMAND_LINE}
    assert first in layers, f"give {module} its place in LAYERS"
    return layers[first]


def public(within: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The public functions, classes and methods that a module or class defines, at any depth of classes."""
    found: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    for node in within.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += public(node)
    return found


@every_module
def test_module_is_short(path: Path) -> None:
    """A module can be read in one sitting."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@every_module
def test_imports_point_down(path: Path) -> None:
    """A module imports from lower layers only, so no strategy knows the lab; within the lab any order will do."""
    height = layer(dotted(path))
    for other in imports(tree(path)):
        if other.partition(".")[0] == "cachelab":
            together = layer(other) == height and (height == LAB or path.parent.name == "eviction")
            assert layer(other) < height or together, f"{path.stem} imports {other}"


@every_module
def test_all_is_true(path: Path) -> None:
    """`__all__` is sorted, names only what is there, and misses no public function or class that is defined there."""
    module = importlib.import_module(dotted(path))
    assert module.__all__ == sorted(set(module.__all__))
    assert all(hasattr(module, public) for public in module.__all__)
    assert {node.name for node in public(tree(path)) if node in tree(path).body} <= set(module.__all__)


@every_module
def test_public_things_are_documented(path: Path) -> None:
    """Every module and every public function, class and method in it has a docstring."""
    assert ast.get_docstring(tree(path))
    assert [node.name for node in public(tree(path)) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_tests_are_documented(path: Path) -> None:
    """Every test says in a docstring what it shows."""
    tests = [node for node in public(tree(path)) if node.name.startswith("test_")]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@every_module
def test_no_pickle(path: Path) -> None:
    """Unpickling bytes from a shared store runs whatever is in them, so nothing here pickles."""
    assert not imports(tree(path)) & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


@every_strategy
def test_strategy_says_what_it_promises(path: Path) -> None:
    """A strategy opens with its problem, idea, guarantee, what it does not guarantee, its cost and its source."""
    docstring = ast.get_docstring(tree(path)) or ""
    assert re.findall(rf"^({'|'.join(LABELS)}):", docstring, re.MULTILINE) == LABELS


@every_strategy
def test_strategy_keeps_to_the_clock_it_is_given(path: Path) -> None:
    """A strategy never reads the wall clock, which jumps, and which virtual time cannot replace."""
    source = ast.unparse(tree(path))
    assert "time.time" not in source
    assert "from time import" not in source


@every_strategy
def test_strategy_prints_nothing(path: Path) -> None:
    """A strategy reports through its events; only the lab prints."""
    called = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert "print" not in [function.id for function in called if isinstance(function, ast.Name)]


def test_import_is_light() -> None:
    """`import cachelab` loads none of the big packages: a service that copies a strategy need not have them."""
    code = f"import sys, cachelab; print(*sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_old_python_gets_a_sentence() -> None:
    """A Python that is too old ends with one sentence that says what to do, not with a traceback."""
    code = "import sys; sys.version_info = (3, 9, 1); sys.argv[0] = '-m'; import cachelab"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert re.fullmatch(r"cachelab needs Python 3\.11 .*\n", done.stderr)


def test_readme_has_the_two_commands() -> None:
    """The README shows how to open the course and how to test it."""
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    assert [command for command in COMMANDS if command not in lines] == []


def test_readme_links_lead_somewhere() -> None:
    """Every local link of the README leads to something that exists."""
    links = local_links((ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_readme_picture_is_a_stored_output() -> None:
    """The README's picture is, byte for byte, one that a notebook draws."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = {base64.b64decode(png) for path in paths() for cell in load(path).cells for png in pictures(cell)}
    shown = [link for link in local_links(readme) if link.endswith(".png")]
    assert shown
    assert [link for link in shown if (ROOT / link).read_bytes() not in drawn] == []


def test_top_level_is_bare() -> None:
    """Nothing but the agreed names and dot-files stands at the top of the repository."""
    done = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        pytest.skip("not a git checkout")
    tops = {line.partition("/")[0] for line in done.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


def test_environments_agree() -> None:
    """environment.yml asks conda for the names and bounds for which pyproject.toml asks pip."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        asked = [Requirement(line) for line in tomllib.load(file)["project"]["dependencies"]]
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert listed.pop() == {"pip": ["-e ."]}
    conda = [Requirement(re.sub(r"(?<![<>=])=(?!=)", "==", line)) for line in listed]
    assert {one.name for one in conda} >= CONDA_ONLY
    assert {one.name: one.specifier for one in conda if one.name not in CONDA_ONLY} == {
        CONDA_NAMES.get(one.name, one.name): one.specifier for one in asked
    }


def test_dependencies_have_an_upper_bound() -> None:
    """A new major release of a dependency reaches no learner before somebody has tried it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        asked = tomllib.load(file)["project"]["dependencies"]
    assert [line for line in asked if not re.search(r">=[\d.]+,<\d+$", line)] == []


@pytest.mark.long
def test_wheel_holds_only_the_package(tmp_path: Path) -> None:
    """The wheel has the modules of cachelab and the marker of its types, and no notebook and no test."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {member for member in archive.namelist() if ".dist-info/" not in member}
    assert held == {name(path) for path in [*MODULES, PACKAGE / "py.typed"]}
