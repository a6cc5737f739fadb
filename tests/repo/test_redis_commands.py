"""On a Redis that may be somebody else's, no module and no notebook empties, changes or stops the whole server."""

import ast
import re

import pytest

from tests.support.notebooks import ROOT, code_cells, load, paths, tree

COMMAND = r"(flush(all|db)|config|debug|shutdown)"
METHOD = re.compile(r"(flush(all|db)|(config|debug|(script|function)_flush)\w*|shutdown)", re.IGNORECASE)
TEXT = re.compile(rf"{COMMAND}( +[a-z-]+)*|(?s:.*)\bp?call\(\s*.{COMMAND}\b(?s:.*)", re.IGNORECASE)

HARMLESS = {
    "cachelab/lab/web_app/incidents.py": ["flushall"],  # of a simulated Redis
    "cachelab/lab/web_app/serving.py": ["shutdown"],  # a word of ASGI
    "cachelab/lab/web_app/worker_process.py": ["Config"],  # of uvicorn
}
"""What looks like one, and is none."""


def harmful_commands(code: ast.AST) -> list[str]:
    """The commands in some code that empty, change or stop a whole Redis: as methods, as text, and inside Lua."""
    found = []
    for node in ast.walk(code):
        if isinstance(node, ast.Attribute) and METHOD.fullmatch(node.attr):
            found.append(node.attr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if TEXT.fullmatch(text.strip()):
                found.append(text)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "redis.flushall()",
        "redis.flushdb(asynchronous=True)",
        "redis.config_set('maxmemory', 1)",
        "redis.debug_segfault()",
        "redis.shutdown()",
        "redis.script_flush()",
        "redis.execute_command('FLUSHALL')",
        "redis.execute_command('flushdb', 'async')",
        "redis.execute_command('Config', 'Set', 'maxmemory', 1)",
        "redis.execute_command(b'DEBUG SLEEP', 1)",
        "redis.eval('local x = 1 redis.call(\\'flushall\\')', 0)",
        'redis.eval("""return redis.pcall( "CONFIG", "GET", "*")""", 0)',
    ],
)
def test_each_harmful_command_would_be_found(line: str) -> None:
    """The search finds a harmful command in each way of writing it."""
    assert harmful_commands(ast.parse(line))


def test_there_is_no_harmful_command() -> None:
    """No module and no notebook sends one."""
    modules = (ROOT / "cachelab").rglob("*.py")
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in modules}
    for path in paths():
        trees |= {f"{path.name}, {number}": tree(cell) for number, cell in enumerate(code_cells(load(path)))}
    assert {name: found for name, code in trees.items() if (found := harmful_commands(code))} == HARMLESS
