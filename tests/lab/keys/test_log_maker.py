"""The access log that `make_access_log` makes: its lines, its requests, and that it is the same everywhere."""

import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from cachelab import lab


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 20,000 lines."""
    return lab.make_access_log(tmp_path_factory.mktemp("log") / "access.log", 20_000)


def articles(keys: list[str]) -> list[int]:
    """The numbers of the articles that are among these keys."""
    return [int(key.rpartition("/")[2]) for key in keys if re.fullmatch(r"/articles/\d+", key)]


def test_a_made_log_is_the_same_everywhere(made: Path) -> None:
    """Its digest is the one written here, with every version of Python. Another seed gives another log."""
    assert hashlib.sha256(made.read_bytes()).hexdigest()[:16] == "589739aadd52d1a8"
    other = lab.make_access_log(made.with_name("other.log"), 20_000, seed=2)
    assert other.read_bytes() != made.read_bytes()


def test_a_made_log_is_gzip_if_its_name_says_so(made: Path) -> None:
    """It has the same text, and the same bytes each time, because it holds neither its name nor the time."""
    first, second = (lab.make_access_log(made.with_name(name), 20_000).read_bytes() for name in ("a.gz", "b.gz"))
    assert (gzip.decompress(first), first) == (made.read_bytes(), second)
    assert first[3:8] == bytes(5)  # no flags, so no name, and no time


@pytest.mark.parametrize("requests", [1_000, 1_234, 20_000])
def test_a_made_log_has_as_many_lines_as_asked_for(requests: int, tmp_path: Path) -> None:
    """Five of them are malformed, and a few would not reach a cache."""
    trace = lab.read_access_log(lab.make_access_log(tmp_path / "x.log", requests))
    assert (len(trace) + trace.left_out + trace.malformed, trace.malformed) == (requests, 5)
    assert 0.02 < trace.left_out / requests < 0.10


def test_a_made_log_covers_three_days_in_order(made: Path) -> None:
    """No request is earlier than the one before it, and the last comes at the end of the third day."""
    times = lab.read_access_log(made).times_s
    assert times is not None
    assert times == sorted(times)
    assert 2.99 < times[-1] / 86_400 < 3.0


def test_the_addresses_of_a_made_log_belong_to_no_one(made: Path) -> None:
    """Every address is one of those that are reserved for examples."""
    hosts = {line.split(" ")[0] for line in made.read_text().splitlines() if " - - " in line}
    networks = {host.rpartition(".")[0] for host in hosts}
    assert networks == {"192.0.2", "198.51.100", "203.0.113"}


def test_the_crawler_requests_each_old_article_once(made: Path) -> None:
    """It comes at night, goes through the articles in order, and makes more than a tenth of all requests."""
    lines = [line for line in made.read_text().splitlines() if "ExampleBot" in line]
    crawled = [int(re.findall(r"/articles/(\d+) ", line)[0]) for line in lines]
    assert crawled == sorted(set(crawled))
    assert len(crawled) > 2_000
    assert {re.findall(r"2025:(\d\d):", line)[0] for line in lines} == {"02", "03"}
    assert Counter(articles(lab.read_access_log(made).keys))[7] == 1


def test_the_hot_set_of_a_made_log_moves_every_day(made: Path) -> None:
    """On each of the three days a newer article is the most requested."""
    trace = lab.read_access_log(made)
    assert trace.times_s is not None
    days: list[list[str]] = [[], [], []]
    for key, time in zip(trace.keys, trace.times_s, strict=True):
        days[int(time / 86_400)].append(key)
    assert [Counter(articles(keys)).most_common(1)[0][0] for keys in days] == [4_200, 4_210, 4_220]


def test_a_page_of_a_made_log_has_one_size(made: Path) -> None:
    """Every time a page is sent as a whole, it has the same size."""
    trace = lab.read_access_log(made)
    assert trace.sizes is not None
    sizes: dict[str, set[int]] = {}
    for key, size in zip(trace.keys, trace.sizes, strict=True):
        if size:
            sizes.setdefault(key, set()).add(size)
    assert {len(of_one) for of_one in sizes.values()} == {1}


def test_a_log_with_too_few_lines_is_refused(tmp_path: Path) -> None:
    """The error comes before the file is made."""
    path = tmp_path / "x.log"
    with pytest.raises(ValueError, match="A log of three days needs at least 1,000 lines, not 999"):
        lab.make_access_log(path, 999)
    assert not path.exists()
