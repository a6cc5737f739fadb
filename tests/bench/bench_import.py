"""What `import cachelab` costs beside `import asyncio`, each in a fresh interpreter, in turns."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.bench.timing import Round, interleaved, report

__all__ = ["ASYNCIO", "CACHELAB", "measure"]

ASYNCIO, CACHELAB = "import asyncio", "import cachelab"
ROOT = Path(__file__).parent.parent.parent
CLOCK = "import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def _rounds_of(statement: str) -> Round:
    async def one_round() -> float:
        command = [sys.executable, "-c", CLOCK.format(statement=statement)]
        answer = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=True)
        return float(answer.stdout)

    return one_round


async def measure(rounds: int = 21) -> dict[str, float]:
    """Median seconds of either import."""
    return await interleaved({statement: _rounds_of(statement) for statement in (ASYNCIO, CACHELAB)}, rounds)


if __name__ == "__main__":
    report(asyncio.run(measure()), ASYNCIO)
