"""The instruments of the notebooks: virtual time, the slow database, workloads, the trace, plots, exercises.

Names load when first used, so that importing the lab costs little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cachelab.lab.access_log import read_access_log
    from cachelab.lab.checks import check, hint
    from cachelab.lab.csv_trace import read_trace
    from cachelab.lab.database import SlowDatabase, UserProfile
    from cachelab.lab.driver import replay
    from cachelab.lab.eviction_pictures import eviction_steps, miss_ratios, plot_policies
    from cachelab.lab.exam_subjects import Subject, installed_subjects, with_loader
    from cachelab.lab.exams import exam
    from cachelab.lab.fake_redis import FakeRedis, Hanging
    from cachelab.lab.fates import plot_fates
    from cachelab.lab.faults import Down, Failing, Faulty, OriginError, Slow
    from cachelab.lab.fleet import Fleet, PodFailed, pods
    from cachelab.lab.key_trace import KeyTrace, Malformed
    from cachelab.lab.make_log import make_access_log
    from cachelab.lab.observe import Diary, listen
    from cachelab.lab.pictures import plot_flow, plot_lanes, plot_lives
    from cachelab.lab.plots import plot_curve, plot_ladder, plot_latency, plot_load
    from cachelab.lab.prediction import predict, reveal
    from cachelab.lab.proxy import FaultyProxy
    from cachelab.lab.race_pictures import plot_orders, plot_race
    from cachelab.lab.races import Race, World, race
    from cachelab.lab.redis_url import NoRedis
    from cachelab.lab.show import ms, slider, table
    from cachelab.lab.simulation import run, simulate
    from cachelab.lab.timelines import plot_timelines
    from cachelab.lab.timing import measure
    from cachelab.lab.trace import Trace
    from cachelab.lab.traces import loop_trace, scan_trace, shifting_trace, zipf_trace
    from cachelab.lab.virtual import Deadlock
    from cachelab.lab.which_redis import connect
    from cachelab.lab.workload import Request, Workload, zipf_popularity

_HOMES = {
    "access_log": ["read_access_log"],
    "checks": ["check", "hint"],
    "csv_trace": ["read_trace"],
    "database": ["SlowDatabase", "UserProfile"],
    "driver": ["replay"],
    "eviction_pictures": ["eviction_steps", "miss_ratios", "plot_policies"],
    "exam_subjects": ["Subject", "installed_subjects", "with_loader"],
    "exams": ["exam"],
    "fake_redis": ["FakeRedis", "Hanging"],
    "fates": ["plot_fates"],
    "faults": ["Down", "Failing", "Faulty", "OriginError", "Slow"],
    "fleet": ["Fleet", "PodFailed", "pods"],
    "key_trace": ["KeyTrace", "Malformed"],
    "make_log": ["make_access_log"],
    "observe": ["Diary", "listen"],
    "pictures": ["plot_flow", "plot_lanes", "plot_lives"],
    "plots": ["plot_curve", "plot_ladder", "plot_latency", "plot_load"],
    "prediction": ["predict", "reveal"],
    "proxy": ["FaultyProxy"],
    "race_pictures": ["plot_orders", "plot_race"],
    "races": ["Race", "World", "race"],
    "redis_url": ["NoRedis"],
    "show": ["ms", "slider", "table"],
    "simulation": ["run", "simulate"],
    "timelines": ["plot_timelines"],
    "timing": ["measure"],
    "trace": ["Trace"],
    "traces": ["loop_trace", "scan_trace", "shifting_trace", "zipf_trace"],
    "virtual": ["Deadlock"],
    "which_redis": ["connect"],
    "workload": ["Request", "Workload", "zipf_popularity"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Deadlock",
    "Diary",
    "Down",
    "Failing",
    "FakeRedis",
    "Faulty",
    "FaultyProxy",
    "Fleet",
    "Hanging",
    "KeyTrace",
    "Malformed",
    "NoRedis",
    "OriginError",
    "PodFailed",
    "Race",
    "Request",
    "Slow",
    "SlowDatabase",
    "Subject",
    "Trace",
    "UserProfile",
    "Workload",
    "World",
    "check",
    "connect",
    "eviction_steps",
    "exam",
    "hint",
    "installed_subjects",
    "listen",
    "loop_trace",
    "make_access_log",
    "measure",
    "miss_ratios",
    "ms",
    "plot_curve",
    "plot_fates",
    "plot_flow",
    "plot_ladder",
    "plot_lanes",
    "plot_latency",
    "plot_lives",
    "plot_load",
    "plot_orders",
    "plot_policies",
    "plot_race",
    "plot_timelines",
    "pods",
    "predict",
    "race",
    "read_access_log",
    "read_trace",
    "replay",
    "reveal",
    "run",
    "scan_trace",
    "shifting_trace",
    "simulate",
    "slider",
    "table",
    "with_loader",
    "zipf_popularity",
    "zipf_trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"cachelab.lab has no {name!r}; it has {', '.join(__all__)}.")
    return getattr(import_module(f"cachelab.lab.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
