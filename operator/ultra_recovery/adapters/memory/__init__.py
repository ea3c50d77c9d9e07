"""In-memory twins of all ports, with the semantics of a real API server. For tests and dry runs."""

from ultra_recovery.adapters.memory.api import MemoryApi
from ultra_recovery.adapters.memory.caller import MadeCall, ScriptedCaller
from ultra_recovery.adapters.memory.clock import FakeClock, FixedRandom
from ultra_recovery.adapters.memory.faults import CrashError, Faults, Moment, Request
from ultra_recovery.adapters.memory.jobs import JobController, JobPlan, add_cron_job
from ultra_recovery.adapters.memory.messenger import MemoryMessenger
from ultra_recovery.adapters.memory.prober import ProbeCall, ScriptedProber
from ultra_recovery.adapters.memory.reviewer import MemoryReviewer
from ultra_recovery.adapters.memory.sink import MemorySink
from ultra_recovery.adapters.memory.store import MemoryStore
from ultra_recovery.adapters.memory.workloads import Workloads

__all__ = [
    "CrashError",
    "FakeClock",
    "Faults",
    "FixedRandom",
    "JobController",
    "JobPlan",
    "MadeCall",
    "MemoryApi",
    "MemoryMessenger",
    "MemoryReviewer",
    "MemorySink",
    "MemoryStore",
    "Moment",
    "ProbeCall",
    "Request",
    "ScriptedCaller",
    "ScriptedProber",
    "Workloads",
    "add_cron_job",
]
