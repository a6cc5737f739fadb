"""The instruments of the notebooks: virtual time, the slow database, workloads, plots, exercises.

Names load when they are first used, so that importing the lab costs little.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cachelab._facade import lazy_names

if TYPE_CHECKING:
    from cachelab.lab.breakers.exam import breaker_exam as breaker_exam
    from cachelab.lab.breakers.subjects import installed_breakers as installed_breakers
    from cachelab.lab.day.plans import CHEATS as CHEATS, FORESEEN as FORESEEN, PLANS as PLANS
    from cachelab.lab.day.run import BadPlan as BadPlan
    from cachelab.lab.day.score import Score as Score
    from cachelab.lab.day.stored import day_scores as day_scores
    from cachelab.lab.day.trial import try_plan as try_plan
    from cachelab.lab.exercises.checking import check as check, hint as hint
    from cachelab.lab.exercises.solved import solved as solved
    from cachelab.lab.flight_exam.exam import exam as exam
    from cachelab.lab.flight_exam.subjects import (
        Subject as Subject,
        installed_subjects as installed_subjects,
        with_loader as with_loader,
    )
    from cachelab.lab.glossary_terms import glossary as glossary
    from cachelab.lab.keys.access_log import read_access_log as read_access_log
    from cachelab.lab.keys.csv_trace import read_trace as read_trace
    from cachelab.lab.keys.key_trace import KeyTrace as KeyTrace, Malformed as Malformed
    from cachelab.lab.keys.log_maker import make_access_log as make_access_log
    from cachelab.lab.keys.synthetic import (
        loop_trace as loop_trace,
        scan_trace as scan_trace,
        shifting_trace as shifting_trace,
        zipf_trace as zipf_trace,
    )
    from cachelab.lab.memory import memory_after as memory_after
    from cachelab.lab.plots.attacks import plot_attack as plot_attack
    from cachelab.lab.plots.curves import (
        plot_curve as plot_curve,
        plot_ladder as plot_ladder,
        plot_latency as plot_latency,
        plot_load as plot_load,
        plot_requests as plot_requests,
    )
    from cachelab.lab.plots.dashboard import plot_dashboard as plot_dashboard
    from cachelab.lab.plots.days import plot_day as plot_day, plot_plans as plot_plans
    from cachelab.lab.plots.eviction import (
        eviction_steps as eviction_steps,
        miss_ratios as miss_ratios,
        plot_policies as plot_policies,
    )
    from cachelab.lab.plots.lanes import plot_flow as plot_flow, plot_lanes as plot_lanes
    from cachelab.lab.plots.lifetimes import plot_lifetimes as plot_lifetimes
    from cachelab.lab.plots.matrix import plot_matrix as plot_matrix
    from cachelab.lab.plots.races import plot_orders as plot_orders, plot_race as plot_race
    from cachelab.lab.plots.sign_ups import plot_sign_up as plot_sign_up
    from cachelab.lab.plots.slider import slider as slider
    from cachelab.lab.plots.stale_answers import plot_answers as plot_answers, plot_stale_answers as plot_stale_answers
    from cachelab.lab.plots.staleness import plot_staleness as plot_staleness
    from cachelab.lab.plots.stampedes import plot_stampede as plot_stampede
    from cachelab.lab.plots.timelines import plot_failures as plot_failures, plot_timelines as plot_timelines
    from cachelab.lab.plots.timetables import plot_timetables as plot_timetables
    from cachelab.lab.plots.trials import plot_trials as plot_trials
    from cachelab.lab.plots.users import plot_users as plot_users
    from cachelab.lab.prediction import predict as predict, reveal as reveal
    from cachelab.lab.real_redis.connect import connect as connect
    from cachelab.lab.real_redis.leased_pods import LeasedRound as LeasedRound, leased_pods as leased_pods
    from cachelab.lab.real_redis.pods import Fleet as Fleet, PodFailed as PodFailed, pods as pods
    from cachelab.lab.real_redis.proxy import FaultyProxy as FaultyProxy
    from cachelab.lab.real_redis.url import RedisNotUsable as RedisNotUsable
    from cachelab.lab.sim.database import SlowDatabase as SlowDatabase, UserProfile as UserProfile
    from cachelab.lab.sim.fake_redis import (
        FakeRedis as FakeRedis,
        Hanging as Hanging,
        Losing as Losing,
        SentCommand as SentCommand,
    )
    from cachelab.lab.sim.faults import (
        Down as Down,
        Failing as Failing,
        Faulty as Faulty,
        OriginError as OriginError,
        Slow as Slow,
    )
    from cachelab.lab.sim.listeners import EventLog as EventLog, listen as listen
    from cachelab.lab.sim.races import Race as Race, World as World, race as race
    from cachelab.lab.sim.redis_races import RedisWorld as RedisWorld, redis_race as redis_race
    from cachelab.lab.sim.simulation import run as run, simulate as simulate
    from cachelab.lab.sim.stampede import Stampede as Stampede, stampede as stampede
    from cachelab.lab.sim.virtual_loop import Deadlock as Deadlock
    from cachelab.lab.text import ms as ms, table as table
    from cachelab.lab.timing import measure as measure
    from cachelab.lab.traffic.l1_site import l2_reads as l2_reads
    from cachelab.lab.traffic.replay import replay as replay
    from cachelab.lab.traffic.replay_result import ReplayResult as ReplayResult
    from cachelab.lab.traffic.rollout import (
        Deployed as Deployed,
        Rollout as Rollout,
        Site as Site,
        roll_out as roll_out,
        warm_up as warm_up,
    )
    from cachelab.lab.traffic.smallest_site import origin_load as origin_load
    from cachelab.lab.traffic.unknown_ids import unknown_ids as unknown_ids
    from cachelab.lab.traffic.warm import warm as warm
    from cachelab.lab.traffic.workload import (
        Request as Request,
        Workload as Workload,
        zipf_popularity as zipf_popularity,
    )
    from cachelab.lab.web_app.incidents import watch_incident as watch_incident
    from cachelab.lab.web_app.profiles import Profile as Profile, ProfileDatabase as ProfileDatabase
    from cachelab.lab.web_app.real_workers import RealService as RealService, real_workers as real_workers
    from cachelab.lab.web_app.serving import Answer as Answer, Worker as Worker, serving as serving
    from cachelab.lab.web_app.traffic import Numbers as Numbers, Visit as Visit, Watch as Watch, visit as visit

else:
    # On its first run Matplotlib logs that it builds a cache of fonts, and where it keeps it if HOME cannot be written
    # to. Neither belongs into a chapter.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    __all__, __getattr__, __dir__ = lazy_names(__name__, extra="lab")
