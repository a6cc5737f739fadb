"""The instruments of the notebooks: virtual time, the slow database, workloads, the trace, plots, exercises.

Names load when first used, so that importing the lab costs little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cachelab.lab.checks import check, hint
    from cachelab.lab.database import SlowDatabase, UserProfile
    from cachelab.lab.driver import replay
    from cachelab.lab.exam_subjects import Subject, installed_subjects, with_loader
    from cachelab.lab.exams import exam
    from cachelab.lab.faults import Down, Failing, Faulty, OriginError, Slow
    from cachelab.lab.observe import listen
    from cachelab.lab.pictures import plot_flow, plot_lanes
    from cachelab.lab.plots import plot_curve, plot_latency, plot_load
    from cachelab.lab.prediction import predict, reveal
    from cachelab.lab.race_pictures import plot_orders, plot_race
    from cachelab.lab.races import Race, World, race
    from cachelab.lab.show import ms, slider, table
    from cachelab.lab.simulation import run, simulate
    from cachelab.lab.trace import Trace
    from cachelab.lab.virtual import Deadlock
    from cachelab.lab.workload import Request, Workload

_HOMES = {
    "checks": ["check", "hint"],
    "database": ["SlowDatabase", "UserProfile"],
    "driver": ["replay"],
    "exam_subjects": ["Subject", "installed_subjects", "with_loader"],
    "exams": ["exam"],
    "faults": ["Down", "Failing", "Faulty", "OriginError", "Slow"],
    "observe": ["listen"],
    "pictures": ["plot_flow", "plot_lanes"],
    "plots": ["plot_curve", "plot_latency", "plot_load"],
    "prediction": ["predict", "reveal"],
    "race_pictures": ["plot_orders", "plot_race"],
    "races": ["Race", "World", "race"],
    "show": ["ms", "slider", "table"],
    "simulation": ["run", "simulate"],
    "trace": ["Trace"],
    "virtual": ["Deadlock"],
    "workload": ["Request", "Workload"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Deadlock",
    "Down",
    "Failing",
    "Faulty",
    "OriginError",
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
    "exam",
    "hint",
    "installed_subjects",
    "listen",
    "ms",
    "plot_curve",
    "plot_flow",
    "plot_lanes",
    "plot_latency",
    "plot_load",
    "plot_orders",
    "plot_race",
    "predict",
    "race",
    "replay",
    "reveal",
    "run",
    "simulate",
    "slider",
    "table",
    "with_loader",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"cachelab.lab has no {name!r}; it has {', '.join(__all__)}.")
    return getattr(import_module(f"cachelab.lab.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
