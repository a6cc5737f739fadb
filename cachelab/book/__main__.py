"""`python -m cachelab book [FOLDER]` makes the site, in the project's folder `site` or in FOLDER."""

import sys
from pathlib import Path

from cachelab.book.reference import NoDocstring
from cachelab.book.site import DeadLinks, NotOurs, build

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Make the site and say where it is. What went wrong is a sentence on standard error, and the exit code 1."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        print("usage: python -m cachelab book [--here] [FOLDER]", file=sys.stderr)
        return 2
    out = ROOT / (arguments or ["site"])[0]
    try:
        pages = build(ROOT, out)
    except (NotOurs, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except DeadLinks as error:
        print(f"These links lead nowhere:\n{error}", file=sys.stderr)
        return 1
    except NoDocstring as error:
        print(f"These have no docstring:\n{error}", file=sys.stderr)
        return 1
    print(f"{len(pages)} pages: open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
