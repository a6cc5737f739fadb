"""The package polices itself: its shape, its imports and its words."""

import ast
import functools
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.notebooks import ROOT
from tests.support.source import imports, lines_of_code

PACKAGE = ROOT / "cachelab"
MAX_LINES_OF_A_CLASS = 110
MAX_LINES_OF_A_FUNCTION = 45
ROWS = """
_facade clock entry
events
eviction.che eviction.policy eviction.sketch
eviction.curves eviction.fifo eviction.lfu eviction.lru eviction.opt eviction.s3fifo eviction.sieve eviction.wtinylfu
eviction
flight freshness guarded guards.guard level opentelemetry_metrics prometheus_metrics thread_flight upgrading
guards.breaker guards.bulkhead guards.time_limit
invalidation
stores.also_deleting stores.cachetools_store stores.codec stores.expiry_heap stores.fingerprint stores.in_process
stores.redis_key stores.redis_requests
bloom stores.memory stores.read_batcher
stores.redis_store
bus lease stores.locked
cache
cachelab
book.text
book.docstrings book.outputs
book.chapters
book.reference
book.site
book.__main__
lab.memory lab.output lab.progress_bar lab.sim.listeners lab.sim.virtual_loop lab.timing
lab.working_copy
lab.prediction lab.sim.faults lab.text
lab.glossary_terms lab.sandbox lab.sim.database lab.sim.fake_redis lab.sim.simulation
lab.sim.races lab.sim.stampede lab.web_app.profiles lab.web_app.serving
lab.sim.redis_races
lab.traffic.replay_result lab.traffic.warm lab.traffic.workload
lab.traffic.smallest_site lab.traffic.unknown_ids
lab.traffic.replay lab.web_app.traffic
lab.traffic.l1_site lab.traffic.rollout lab.web_app.application
lab.web_app.incidents lab.web_app.releases
lab.day.site lab.day.traffic
lab.day.parts lab.day.plans lab.day.score
lab.day.run lab.day.stored
lab.day.trial
lab.keys.key_trace lab.keys.log_maker lab.keys.synthetic lab.keys.unpacking
lab.keys.line_reader
lab.keys.extended_log
lab.keys.access_log
lab.keys.csv_trace
lab.plots.style
lab.plots.attacks lab.plots.curves lab.plots.dashboard lab.plots.days lab.plots.eviction lab.plots.lanes
lab.plots.lifetimes lab.plots.matrix lab.plots.races lab.plots.sign_ups lab.plots.slider lab.plots.stale_answers
lab.plots.staleness lab.plots.stampedes lab.plots.timelines lab.plots.timetables lab.plots.trials lab.plots.users
lab.real_redis.proxy lab.real_redis.watchdog
lab.real_redis.private_server lab.real_redis.url
lab.real_redis.connect lab.real_redis.leased_process lab.real_redis.pod_process lab.web_app.worker_process
lab.real_redis.pods
lab.real_redis.leased_pods lab.web_app.real_workers
lab.flight_exam.record lab.flight_exam.subjects
lab.flight_exam.picture lab.flight_exam.stage
lab.flight_exam.items lab.flight_exam.task_stage lab.flight_exam.thread_stage
lab.flight_exam.report
lab.flight_exam.judging
lab.breakers.stage lab.flight_exam.exam
lab.breakers.items lab.breakers.subjects
lab.breakers.exam
lab.exercises.exercise lab.exercises.solved
lab.exercises.exam_evidence lab.exercises.experiment lab.exercises.plan lab.exercises.race_evidence
lab.exercises.ch00_1_connections lab.exercises.ch00_2_measure lab.exercises.ch01_2_target lab.exercises.ch02_1_order
lab.exercises.ch02_2_mend lab.exercises.ch04_1_sieve lab.exercises.ch04_2_size lab.exercises.ch05_1_survive
lab.exercises.ch05_2_lock lab.exercises.ch06_1_slo lab.exercises.ch06_2_leak lab.exercises.ch07_1_locked_out
lab.exercises.ch07_2_page lab.exercises.ch08_1_reader lab.exercises.ch08_2_envelope lab.exercises.ch09_1_mend
lab.exercises.ch09_2_choose lab.exercises.ch10_1_size lab.exercises.ch10_2_not_found lab.exercises.ch11_1_cents
lab.exercises.ch11_2_no_decoder lab.exercises.ch12_1_older_than_both lab.exercises.ch12_2_how_large
lab.exercises.ch13_1_longest_line lab.exercises.ch13_2_one_at_a_time lab.exercises.ch14_1_keep_the_goals
lab.exercises.ch14_2_smallest lab.exercises.ch15_1_session lab.exercises.ch15_2_alert
lab.exercises.checking
lab.exercises.ttl_cache_examiner
lab.exercises.ch01_1_flaw lab.exercises.ch01_3_make lab.exercises.ch03_1_lock lab.exercises.ch03_2_copied
lab
__main__
""".strip().splitlines()
"""The modules of the package from the bottom up, a row on each line. A new module gets its place here."""
NO_STRATEGY = {"__init__", "__main__", "_facade", "clock", "entry", "events"}
LABELS = ["Problem", "Idea", "Guarantee", "Not guaranteed", "Cost", "Source"]
NEED_AN_EXTRA = {"Bus", "Codec", "LeasedStore", "RedisStore", "Undecodable", "redis_client", "schema_fingerprint"}
"""The names of `cachelab` whose modules import packages of the extra `redis`."""
SLOW_TO_IMPORT = {
    "IPython",
    "cachetools",
    "fakeredis",
    "ipywidgets",
    "matplotlib",
    "msgspec",
    "numpy",
    "opentelemetry",
    "pandas",
    "redis",
}
WORDS_FOR_PEOPLE = re.compile(r"\bh(e|is|im|imself)\b", re.IGNORECASE)

MODULES = sorted(PACKAGE.rglob("*.py"))
STRATEGIES = [path for path in MODULES if not {"lab", "book"} & set(path.parts) and path.stem not in NO_STRATEGY]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
PROSE = sorted([*MODULES, *(ROOT / "tests").rglob("*.py"), ROOT / "README.md", *(ROOT / ".github").rglob("*.md")])


def name(path: Path) -> str:
    """A file's path inside the project, with slashes on every system; the test ids."""
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """The name under which a module of the package is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def names_for_types(path: Path) -> dict[str, str]:
    """What a module imports in its block `if TYPE_CHECKING:`: each name, and the module from which it comes."""
    return {
        alias.name: statement.module or ""
        for block in tree(path).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def is_facade(path: Path) -> bool:
    """Whether a module is the `__init__` of a package that collects names from others."""
    return path.name == "__init__.py" and "lazy_names" in path.read_text(encoding="utf-8")


FACADES = [path for path in MODULES if is_facade(path)]
ROOMS = [path for path in MODULES if path.name == "__init__.py" and path not in FACADES]
"""Packages that only hold modules."""
PATHS = {dotted(path): path for path in MODULES}


def each(paths: Sequence[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make one test of a check of one file. It fails with the name of each file that fails, and why.

    A test for each rule and file would be some two thousand, which takes pytest longer than the checks.
    """

    def one_test(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            faults = {}
            for path in paths:
                try:
                    check(path)
                except AssertionError as fault:
                    faults[name(path)] = str(fault)
            assert paths
            assert faults == {}

        test.__doc__ = check.__doc__
        return test

    return one_test


every_module = each(MODULES)
every_module_with_code = each([path for path in MODULES if path not in ROOMS])
every_strategy = each(STRATEGIES)
every_facade = each(FACADES)


def ours(path: Path) -> set[str]:
    """The modules of the package from which a module imports."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):  # `from cachelab import lab` imports the module cachelab.lab
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & set(PATHS)
            if any(f"{node.module}.{alias.name}" not in PATHS for alias in node.names):
                found |= {node.module or ""} & set(PATHS)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & set(PATHS)
    return found


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
def test_classes_and_functions_are_short(path: Path) -> None:
    """A class has at most 110 lines of code and a function at most 45, with what is nested in them.

    Docstrings, comments and blank lines are not counted. A module may be as long as its idea.
    """
    holding = lines_of_code(path.read_text(encoding="utf-8"))
    too_long = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            count = len(holding & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
            if count > (MAX_LINES_OF_A_CLASS if isinstance(node, ast.ClassDef) else MAX_LINES_OF_A_FUNCTION):
                too_long[node.name] = count
    assert too_long == {}


def test_every_module_has_its_row() -> None:
    """`ROWS` names each module once, except the rooms, which import nothing."""
    listed = sorted(module for row in ROWS for module in row.split())
    assert listed == sorted(short(path) for path in MODULES if path not in ROOMS)


@every_module_with_code
def test_imports_point_down(path: Path) -> None:
    """A module imports only from rows below its own, also for types only.

    So no imports form a circle, and no strategy imports the lab.
    """
    height = {module: row for row, modules in enumerate(ROWS) for module in modules.split()}
    below = {short(PATHS[other]) for other in ours(path) if PATHS[other] not in ROOMS}
    assert [other for other in below if height[other] >= height[short(path)]] == []


def short(path: Path) -> str:
    """A module's name in `ROWS`: `cache`, `stores.memory`, `lab`, and `cachelab` for the package itself."""
    return dotted(path).removeprefix("cachelab.")


@each(ROOMS)
def test_a_room_holds_nothing_but_its_modules(path: Path) -> None:
    """The `__init__` of a package that is no facade has a docstring and nothing else."""
    assert [ast.unparse(statement) for statement in tree(path).body[1:]] == []


@every_facade
def test_no_name_of_a_facade_is_the_name_of_a_module_beside_it(path: Path) -> None:
    """Importing a module puts it into its package, where it would replace what the facade has under that name.

    Names that differ only in case, as `Cache` and the module `cache`, are different names to Python on every system.
    """
    beside = {other.stem if other.suffix else other.name for other in path.parent.iterdir()}
    assert set(importlib.import_module(dotted(path)).__all__) & beside == set()


@every_facade
def test_a_facade_names_the_module_that_defines(path: Path) -> None:
    """In a facade's block `if TYPE_CHECKING:` each name comes from the module in which it is defined."""
    elsewhere = {}
    for name_, home in names_for_types(path).items():
        defined = {
            target.id if isinstance(target, ast.Name) else ""
            for node in tree(PATHS[home]).body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        } | {node.name for node in public(tree(PATHS[home]))}
        if name_ not in defined:
            elsewhere[name_] = home
    assert elsewhere == {}


@every_facade
def test_a_facade_has_what_it_shows_to_type_checkers(path: Path) -> None:
    """`__all__` of a facade is sorted and has the names of its block `if TYPE_CHECKING:`."""
    assert importlib.import_module(dotted(path)).__all__ == sorted(names_for_types(path))


@every_module_with_code
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


@each(TESTS)
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


@pytest.mark.parametrize(
    "statement",
    [
        f"import cachelab; [getattr(cachelab, name) for name in cachelab.__all__ if name not in {NEED_AN_EXTRA!r}]",
        "from cachelab.eviction import *",
        "from cachelab import lab",
    ],
    ids=["strategies", "eviction", "lab"],
)
def test_import_is_light(statement: str) -> None:
    """To import the strategies loads none of the big packages, nor does `from cachelab import lab`."""
    code = f"import sys; {statement}; print(*sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("missing", "statement", "sentence"),
    [
        ("redis", "from cachelab import RedisStore", 'pip install "cachelab[redis]"'),
        ("redis", "from cachelab import redis_client; redis_client('redis://a')", 'pip install "cachelab[redis]"'),
        ("msgspec", "from cachelab import Codec", 'pip install "cachelab[redis]"'),
        ("matplotlib", "from cachelab import lab; lab.plot_trials", 'pip install "cachelab[lab]"'),
        (
            "opentelemetry",
            "from cachelab import OpenTelemetryMetrics; OpenTelemetryMetrics()",
            "pip install opentelemetry-api",
        ),
        ("cachetools", "from cachelab import CachetoolsStore; CachetoolsStore(1)", "pip install cachetools"),
    ],
)
def test_a_missing_package_gets_a_sentence(missing: str, statement: str, sentence: str) -> None:
    """What needs a package that is not installed raises an ImportError, and its text ends with what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; {statement}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(rf"ImportError: \w+ needs {missing}[\w.]*, which is not installed: {re.escape(sentence)}", last)


def test_a_mistake_in_the_package_is_no_missing_extra(tmp_path: Path) -> None:
    """A module of our own that is not there is reported as it is."""
    code = "import sys; sys.modules['cachelab.stores.codec'] = None; from cachelab import RedisStore"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "pip install" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: ")


def test_old_python_gets_a_sentence() -> None:
    """A Python that is too old ends with one sentence that says what to do, not with a traceback."""
    code = "import sys; sys.version_info = (3, 9, 1); sys.argv[0] = '-m'; import cachelab"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert re.fullmatch(r"cachelab needs Python 3\.11 .*\n", done.stderr)


@each(PROSE)
def test_no_caller_is_called_he(path: Path) -> None:
    """Callers, readers and entries are *the caller … it* or *they* in code, comments and documents."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if WORDS_FOR_PEOPLE.search(line)] == []
