"""What the import of the cache and its parts costs beside `import asyncio`, each in a fresh interpreter, in turns.

`import cachelab` alone would measure nothing, since its names load when they are first used. Everything is compiled
beforehand, as pip leaves a package, even where PYTHONDONTWRITEBYTECODE is set.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench.timing import Round, interleaved, report

__all__ = ["ASYNCIO", "CACHELAB", "measure"]

ASYNCIO, CACHELAB = "import asyncio", "from cachelab import Cache, Flight, Freshness, MemoryStore"
ROOT = Path(__file__).parent.parent.parent
CLOCK = "import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def _import(statement: str, compiled: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [sys.executable, "-c", CLOCK.format(statement=statement)],
        cwd=ROOT,
        env=environment | {"PYTHONPYCACHEPREFIX": compiled},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def _rounds_of(one_import: Callable[[], float]) -> Round:
    async def one_round() -> float:
        return await asyncio.to_thread(one_import)

    return one_round


async def measure(rounds: int = 21) -> dict[str, float]:
    """The median seconds of either import."""
    with tempfile.TemporaryDirectory() as compiled:
        imports = {statement: partial(_import, statement, compiled) for statement in (ASYNCIO, CACHELAB)}
        for compile_it in imports.values():
            compile_it()
        return await interleaved({name: _rounds_of(one) for name, one in imports.items()}, rounds)


if __name__ == "__main__":
    report(asyncio.run(measure()), ASYNCIO)
