"""What the API answers. A field, once released, stays; new ones may come."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, json_schema_serialization_defaults_required=True)


class Freshness(Answer):
    """Whether an answer from the cache can be trusted."""

    stale: bool = Field(description="The Kubernetes API is away: this is what was known last.")
    age_seconds: float | None = Field(description="How old that is; null while it is not stale.")


class BreakerView(Answer):
    """A circuit breaker."""

    service_name: str = Field(description="namespace/name, which every call takes.")
    namespace: str
    name: str
    state: str | None = Field(description="Closed, Open or HalfOpen; null until the operator has seen it.")
    since: str | None
    reason: str | None = Field(description="Why it is in its state; see the page of reasons.")
    message: str | None
    epoch: int = Field(description="Grows at every transition and reset.")
    healthy: str = Field(description="True, False or Unknown: the latest observation.")
    ready: str = Field(description="True, False or Unknown: whether the object is enforced.")
    target_kind: str
    target: str | None
    consecutive_failures: int
    consecutive_successes: int
    reopen_count: int
    next_probe_at: str | None
    trial_at: str | None = Field(description="From when on a trial can begin; only while Open.")
    override: str | None = Field(description="ForcedOpen, Disabled or MetricsOnly while a person decides.")
    reset_requested: str | None = Field(description="The latest value of the reset annotation.")
    reset_handled: str | None = Field(description="The latest one that the operator handled.")
    resource_version: str


class Page(Freshness):
    """Base of pages: `continue` names the next one, null on the last."""

    total: int
    next_page: str | None = Field(alias="continue")


class BreakerPage(Page):
    """Breakers, by namespace and name."""

    items: list[BreakerView]


class ResetAnswer(Answer):
    """A reset was asked for."""

    service_name: str
    state_before: str | None
    reset_requested: str = Field(description="The value of the annotation; the operator handles each value once.")
    handled: bool = Field(description="Whether the operator has handled it; it takes a moment.")
    replayed: bool = Field(description="The same request was made before: nothing was written now.")
    request_id: str


class ReportAnswer(Answer):
    """A report was taken, or dropped."""

    service_name: str
    accepted: bool
    reason: str = Field(description="Accepted, or EpochPassed: the calls belong to an earlier epoch.")
    reporter: str
    state: str | None
    epoch: int
    consecutive_failures: int
    retry_at: str | None = Field(description="While Open: when a trial can begin.")


class TrialAnswer(Answer):
    """Whether the caller may try the dependency."""

    service_name: str
    granted: bool
    reason: str
    state: str | None
    epoch: int
    holder: str | None
    until: str | None = Field(description="When the trial ends, if no report comes before.")
    retry_at: str | None = Field(description="When to ask again; null when granted.")


class StartedRun(Answer):
    """A run that was asked for."""

    namespace: str
    name: str
    policy: str
    location: str
    joined: bool = Field(description="The policy had a run already: this is that one.")
    replayed: bool = Field(description="The same request was made before: this is its run.")
    message: str


class TriggerAnswer(Answer):
    """The runs that were started or joined, one per policy."""

    error_type: str = Field(description="What was reported; empty when databases are to be connected to again.")
    cause: str
    runs: list[StartedRun]
    request_id: str


class RunView(Answer):
    """A run, in short."""

    namespace: str
    name: str
    policy: str
    phase: str = Field(description="Pending until the operator has seen it.")
    reason: str | None
    message: str | None
    cause: str
    incident: int | None
    attempt: int | None
    error_type: str | None
    dry_run: bool
    force: bool
    current_step: str | None
    requested_by: str | None
    request_id: str | None
    created_at: str | None
    started_at: str | None
    recovered_at: str | None
    finished_at: str | None
    resource_version: str


class RunPage(Page):
    """Runs, the newest first."""

    items: list[RunView]


class StepView(Answer):
    """A step of a run."""

    name: str
    state: str
    result: str | None
    reason: str | None
    message: str | None
    started_at: str | None
    finished_at: str | None
    effects: int = Field(description="How many effects reached their object.")
    awaits_approval: bool


class RunDetail(Freshness):
    """A run with its steps."""

    run: RunView
    steps: list[StepView]
    requested_steps: list[str]
    requested_reason: str | None
    context: dict[str, str]


class ReportLine(Answer):
    """Something that happened in a run."""

    time: str
    text: str


class RunReport(Freshness):
    """A run told as a story, for a post-mortem."""

    run: RunView
    headline: str
    timeline: list[ReportLine]
    seconds_to_detect: float | None
    seconds_to_recover: float | None


class RunChange(Answer):
    """What was asked of a run."""

    namespace: str
    name: str
    requested: str = Field(description="approve, reject or cancel.")
    step: str | None
    phase: str
    request_id: str


def as_json(answer: Answer) -> bytes:
    """The body of an answer."""
    return answer.model_dump_json(by_alias=True).encode()
