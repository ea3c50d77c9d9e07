"""Condition types and reasons. They are API: people write alerts and scripts on them.

Every reason is a constant with one sentence; the reference page is generated from here.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Types of conditions that our objects carry."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    CIRCUIT_OPEN = "CircuitOpen"
    TARGET_HEALTHY = "TargetHealthy"
    INCIDENT = "Incident"
    NEEDS_HUMAN = "NeedsHuman"
    BLOCKED = "Blocked"


CONDITION_SENTENCES: dict[ConditionType, str] = {
    ConditionType.READY: "The object is valid and enforced. It says nothing about the health of the target.",
    ConditionType.RECONCILING: "The operator is working on this object. Present only while true.",
    ConditionType.STALLED: "The operator cannot enforce this object until somebody mends it. Present only while true.",
    ConditionType.CIRCUIT_OPEN: "The breaker is Open: the dependency counts as broken.",
    ConditionType.TARGET_HEALTHY: "The last probe, or report, was a success. Unknown when nobody could tell.",
    ConditionType.INCIDENT: "A trigger has fired and the target is not yet proven healthy again.",
    ConditionType.NEEDS_HUMAN: "All automatic attempts of this incident are used up. Present only while true.",
    ConditionType.BLOCKED: "A recovery is due and a gate, named by the reason, refuses it. Present only while true.",
}


class Reason(StrEnum):
    """Why something is as it is, or was or was not done."""

    # Breaker
    INITIAL = "Initial"
    PROBE_SUCCEEDED = "ProbeSucceeded"
    PROBE_FAILED = "ProbeFailed"
    PROBE_ERROR = "ProbeError"
    PROBE_NEUTRAL = "ProbeNeutral"
    TRIAL_FAILED = "TrialFailed"
    TRIAL_STARTED = "TrialStarted"
    TRIAL_SUCCEEDED = "TrialSucceeded"
    TRIAL_TIMEOUT = "TrialTimeout"
    RECOVERY_VERIFIED = "RecoveryVerified"
    RESET = "Reset"
    TARGET_CHANGED = "TargetChanged"
    EXHAUSTED = "Exhausted"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    WRONG_NODE = "WrongNode"
    # Enforcement
    ENFORCED = "Enforced"
    PROGRESSING = "Progressing"
    INVALID_SPEC = "InvalidSpec"
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    TARGET_INVALID = "TargetInvalid"
    BREAKER_NOT_FOUND = "BreakerNotFound"
    SECRET_NOT_FOUND = "SecretNotFound"
    SECRET_INVALID = "SecretInvalid"
    SECRET_NOT_ALLOWED = "SecretNotAllowed"
    SECRET_FORBIDDEN = "SecretForbidden"
    # Decisions and gates
    HEALTHY = "Healthy"
    PENDING_TRIGGER = "PendingTrigger"
    RUN_STARTED = "RunStarted"
    RUN_ACTIVE = "RunActive"
    OBSERVING = "Observing"
    STALLED = "Stalled"
    PAUSED = "Paused"
    NOT_FIRING = "NotFiring"
    NEEDS_HUMAN = "NeedsHuman"
    TARGET_GONE = "TargetGone"
    SCALED_TO_ZERO = "ScaledToZero"
    INTERVAL = "Interval"
    COOLDOWN = "Cooldown"
    TARGET_LEASED = "TargetLeased"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    QUORUM = "Quorum"
    API_UNAVAILABLE = "ApiUnavailable"
    POD_DISRUPTION_BUDGET = "PodDisruptionBudget"
    MANUAL = "Manual"
    EXCLUDED = "Excluded"
    DRY_RUN_RECORDED = "DryRunRecorded"
    DEPENDENCY_OPEN = "DependencyOpen"
    AWAITING_PROBE = "AwaitingProbe"
    BREAKER_LEASED = "BreakerLeased"
    OVERRIDDEN = "Overridden"
    NAMESPACE_PAUSED = "NamespacePaused"
    OPERATOR_PAUSED = "OperatorPaused"
    AWAITING_APPROVAL = "AwaitingApproval"
    APPROVAL_EXPIRED = "ApprovalExpired"
    APPROVAL_REJECTED = "ApprovalRejected"
    APPROVED = "Approved"
    BLOCKED_FOR_LONG = "BlockedForLong"
    DEPENDENCY_INVALID = "DependencyInvalid"
    # Incidents
    INCIDENT_OPENED = "IncidentOpened"
    INCIDENT_RECOVERED = "IncidentRecovered"
    INCIDENT_RETURNED = "IncidentReturned"
    INCIDENT_CLOSED = "IncidentClosed"
    # Runs and steps
    PENDING = "Pending"
    STEP_RUNNING = "StepRunning"
    EVICTED = "Evicted"
    VERIFYING = "Verifying"
    VERIFIED = "Verified"
    UNVERIFIED = "Unverified"
    NOTHING_TO_DO = "NothingToDo"
    STEP_TIMEOUT = "StepTimeout"
    EFFECT_FAILED = "EffectFailed"
    LADDER_EXHAUSTED = "LadderExhausted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    SELF_RECOVERED = "SelfRecovered"
    EXPIRED = "Expired"
    POLICY_GONE = "PolicyGone"
    CANCEL_REQUESTED = "CancelRequested"
    NO_SIGNAL = "NoSignal"
    # Breaker: windows, overrides, queries
    FAILURE_RATE_REACHED = "FailureRateReached"
    SLOW_CALL_RATE_REACHED = "SlowCallRateReached"
    FORCED_OPEN = "ForcedOpen"
    DISABLED = "Disabled"
    METRICS_ONLY = "MetricsOnly"
    OVERRIDE_EXPIRED = "OverrideExpired"
    OVERRIDE_REMOVED = "OverrideRemoved"
    RESET_REFUSED = "ResetRefused"
    WOULD_MOVE = "WouldMove"
    NO_DATA = "NoData"
    # Custom actions
    CRON_JOB_UNUSABLE = "CronJobUnusable"
    JOB_CREATED = "JobCreated"
    HOOK_CALLED = "HookCalled"
    NOTIFIED = "Notified"
    NOTIFICATION_FAILED = "NotificationFailed"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    UNDOING = "Undoing"
    UNDO_FAILED = "UndoFailed"
    SKIPPED = "Skipped"
    DRY_RUN = "DryRun"
    COUNT_NOT_REACHED = "CountNotReached"
    NO_TRIGGER = "NoTrigger"
    STEP_NOT_FOUND = "StepNotFound"
    GOOD_BEFORE = "GoodBefore"
    # The process
    LEADER_ELECTED = "LeaderElected"
    LEADER_LOST = "LeaderLost"
    # Breaker: targets that are not probed
    REPORT_SUCCEEDED = "ReportSucceeded"
    REPORT_FAILED = "ReportFailed"
    REPORT_NEUTRAL = "ReportNeutral"
    NO_REPORTS = "NoReports"
    TRIAL_OFFERED = "TrialOffered"
    # Rails that look at more than one policy, or at the calendar
    MAINTENANCE_WINDOW = "MaintenanceWindow"
    STORM = "Storm"
    BUDGET = "Budget"
    # Whose rights a policy acts by, where that is checked
    FORBIDDEN = "Forbidden"
    SERVICE_ACCOUNT_UNSET = "ServiceAccountUnset"
    RIGHTS_UNKNOWN = "RightsUnknown"


REASON_SENTENCES: dict[Reason, str] = {
    Reason.INITIAL: "The object was seen for the first time; nothing is known about the target yet.",
    Reason.PROBE_SUCCEEDED: "The target answered the probe as it should.",
    Reason.PROBE_FAILED: "The target refused the probe, answered wrongly or not in time.",
    Reason.PROBE_ERROR: "The probe could not be made, so nothing is known about the target.",
    Reason.PROBE_NEUTRAL: "The target asked for fewer requests (429); that is neither good nor bad.",
    Reason.TRIAL_FAILED: "A probe or a caller failed while the breaker was HalfOpen; it opened again for longer.",
    Reason.TRIAL_STARTED: "The first success after the recovery timeout moved the breaker to HalfOpen.",
    Reason.TRIAL_SUCCEEDED: "Enough successes in a row closed the breaker.",
    Reason.TRIAL_TIMEOUT: "The breaker was HalfOpen for halfOpenTimeout without a decision and opened again.",
    Reason.RECOVERY_VERIFIED: "A recovery step was verified by fresh probes, so the trial begins early.",
    Reason.RESET: "Somebody reset the object by annotation.",
    Reason.TARGET_CHANGED: "The breaker's spec.target was changed, or a run's target was rolled out meanwhile.",
    Reason.EXHAUSTED: "The server answers, but has no connection left for this user.",
    Reason.CREDENTIALS_REFUSED: "The server refuses the user, its password, or the database; asking again is no use.",
    Reason.WRONG_NODE: "The server is read-only: after a failover the address may still lead to the old node.",
    Reason.ENFORCED: "The object is valid and the operator acts on it.",
    Reason.PROGRESSING: "The operator is working on this object.",
    Reason.INVALID_SPEC: "The spec cannot be read by this version of the operator; the message names the field.",
    Reason.TARGET_NOT_FOUND: "The target does not exist in this namespace.",
    Reason.TARGET_NOT_ALLOWED: "The target's address is forbidden, or not on the administrator's allow-list.",
    Reason.TARGET_INVALID: "The target exists but cannot be used as the spec says.",
    Reason.BREAKER_NOT_FOUND: "A breaker that the policy names does not exist in this namespace.",
    Reason.SECRET_NOT_FOUND: "A Secret or ConfigMap that the object names does not exist in this namespace.",
    Reason.SECRET_INVALID: "A Secret or ConfigMap that the object names lacks a key that is needed.",
    Reason.SECRET_NOT_ALLOWED: "The Secret's owner has not named this breaker in its annotation allow-breakers.",
    Reason.SECRET_FORBIDDEN: "The operator may not read the Secret; the message prints the Role that grants it.",
    Reason.HEALTHY: "No trigger fires.",
    Reason.PENDING_TRIGGER: "A trigger's condition holds, but not yet for as long as its `for` asks.",
    Reason.RUN_STARTED: "A recovery run was started.",
    Reason.RUN_ACTIVE: "A run of this policy is active.",
    Reason.OBSERVING: "All signals are clear; the incident closes when they stay clear for minHealthyPeriod.",
    Reason.STALLED: "The policy cannot be enforced; see its Stalled condition.",
    Reason.PAUSED: "The policy's mode is Paused.",
    Reason.NOT_FIRING: "An incident is open, but no trigger fires at this moment.",
    Reason.NEEDS_HUMAN: "All attempts are used; reset the policy by annotation after mending the cause.",
    Reason.TARGET_GONE: "The target was deleted, or recreated under the same name.",
    Reason.SCALED_TO_ZERO: "The target is scaled to zero replicas; there is nothing to recover.",
    Reason.INTERVAL: "The last run of this incident ended less than limits.interval ago.",
    Reason.COOLDOWN: "A run on this target succeeded less than limits.cooldown ago.",
    Reason.TARGET_LEASED: "Another run holds the target's Lease.",
    Reason.ROLLOUT_IN_PROGRESS: "The target is being rolled out by somebody.",
    Reason.QUORUM: "Removing a Ready pod now would leave fewer than limits.minHealthy.",
    Reason.API_UNAVAILABLE: "The API server did not answer an effect, or asked to come back later.",
    Reason.POD_DISRUPTION_BUDGET: "A PodDisruptionBudget refuses the eviction.",
    Reason.MANUAL: "The policy's mode is Manual: it acts only on runs that a person creates.",
    Reason.EXCLUDED: "The target carries the label recovery.ultra.dev/exclude=true.",
    Reason.DRY_RUN_RECORDED: "The policy's mode is DryRun and a run of this incident has recorded what would be done.",
    Reason.DEPENDENCY_OPEN: "A dependency is down, or back for less than 10 s; restarting pods would not help.",
    Reason.AWAITING_PROBE: "A dependency is being probed right now; the step waits for the answer.",
    Reason.BREAKER_LEASED: "Another run works on the same dependency.",
    Reason.OVERRIDDEN: "The breaker that had fired was overridden by a person; it neither fires nor clears.",
    Reason.NAMESPACE_PAUSED: "The Namespace carries the annotation recovery.ultra.dev/paused=true.",
    Reason.OPERATOR_PAUSED: "The operator is paused by its setting ULTRA_PAUSED.",
    Reason.AWAITING_APPROVAL: "The step waits for a person's approval.",
    Reason.APPROVAL_EXPIRED: "Nobody approved the step in time; silence is no approval.",
    Reason.APPROVAL_REJECTED: "A person rejected the step.",
    Reason.APPROVED: "A person approved the step.",
    Reason.BLOCKED_FOR_LONG: "A recovery is due and a gate has refused it for more than five minutes.",
    Reason.DEPENDENCY_INVALID: "A dependency is missing, or is the target itself.",
    Reason.INCIDENT_OPENED: "A trigger has fired for as long as its `for` asks.",
    Reason.INCIDENT_RECOVERED: "All signals are clear.",
    Reason.INCIDENT_RETURNED: "A trigger fired again while the incident was being observed.",
    Reason.INCIDENT_CLOSED: "All signals stayed clear for minHealthyPeriod.",
    Reason.PENDING: "The run was created and has not started.",
    Reason.STEP_RUNNING: "A step of the ladder is being carried out.",
    Reason.EVICTED: "A pod was evicted.",
    Reason.VERIFYING: "The step is done; the signals that fired are being watched.",
    Reason.VERIFIED: "The signals that fired stayed good for verify.healthyFor.",
    Reason.UNVERIFIED: "The signals that fired did not become good within verify.within.",
    Reason.NOTHING_TO_DO: "The step found nothing to act on.",
    Reason.STEP_TIMEOUT: "The step was not finished within its timeout.",
    Reason.EFFECT_FAILED: "The API server refused an effect of the step for good.",
    Reason.LADDER_EXHAUSTED: "Every step was tried and the target is still unhealthy.",
    Reason.DEADLINE_EXCEEDED: "The run reached limits.timeout.",
    Reason.SELF_RECOVERED: "The signals cleared before the first effect.",
    Reason.EXPIRED: "The run could not start within expiresAfter and is never run late.",
    Reason.POLICY_GONE: "The policy was deleted.",
    Reason.CANCEL_REQUESTED: "Somebody asked for the run to be cancelled by annotation.",
    Reason.NO_SIGNAL: "There was no signal to verify the step by.",
    Reason.FAILURE_RATE_REACHED: "The share of failed calls in the window reached window.failureRatePercent.",
    Reason.SLOW_CALL_RATE_REACHED: "The share of slow calls in the window reached window.slowCall.ratePercent.",
    Reason.FORCED_OPEN: "Somebody holds the breaker Open by spec.override, whatever the probes say.",
    Reason.DISABLED: "Somebody holds the breaker Closed by spec.override; it is not probed.",
    Reason.METRICS_ONLY: "Somebody holds the breaker Closed by spec.override; status.wouldBe shows what it would be.",
    Reason.OVERRIDE_EXPIRED: "The time of spec.override is over; the probes decide again.",
    Reason.OVERRIDE_REMOVED: "spec.override was removed; the probes decide again.",
    Reason.RESET_REFUSED: "A breaker is not reset while spec.override is in force; remove the override first.",
    Reason.WOULD_MOVE: "Without the override MetricsOnly the breaker would have changed its state.",
    Reason.NO_DATA: "The query has no sample, or one that is no number, so nothing is known about the target.",
    Reason.CRON_JOB_UNUSABLE: "No Job can be made of the step's CronJob: it is not suspended, is going or is empty.",
    Reason.JOB_CREATED: "A Job was created.",
    Reason.HOOK_CALLED: "An endpoint of the application was called and said yes.",
    Reason.NOTIFIED: "Somebody was told.",
    Reason.NOTIFICATION_FAILED: "A notification could not be delivered; that never decides a run.",
    Reason.OUTCOME_UNKNOWN: "An effect that must not be repeated was begun and its outcome is not known.",
    Reason.UNDOING: "The step was not verified; what it did is being taken back.",
    Reason.UNDO_FAILED: "What the step did could not be taken back.",
    Reason.SKIPPED: "The step was passed over because the run had to end.",
    Reason.DRY_RUN: "Only what would be done was recorded; nothing was touched.",
    Reason.COUNT_NOT_REACHED: "Too few errors of this type were reported within the trigger's time.",
    Reason.NO_TRIGGER: "No errorReported trigger of the policy knows this type of error.",
    Reason.STEP_NOT_FOUND: "The run names a step that the policy's ladder does not have.",
    Reason.GOOD_BEFORE: "All was good before the step, so it proves nothing that it is good after it.",
    Reason.LEADER_ELECTED: "This process leads: it probes and acts.",
    Reason.LEADER_LOST: "This process does not lead any more: it neither probes nor acts.",
    Reason.MAINTENANCE_WINDOW: "A maintenance window of effect Deny is open, or none of effect Allow is.",
    Reason.STORM: "So many targets of the namespace fell ill at once that the cause lies elsewhere.",
    Reason.BUDGET: "As many runs as the policy, workload, namespace or cluster may have started lately.",
    Reason.REPORT_SUCCEEDED: "The newest report of a caller is a success.",
    Reason.REPORT_FAILED: "Callers reported failures of the dependency.",
    Reason.REPORT_NEUTRAL: "The newest report is neither good nor bad: a 429, a cancelled call, a caller's mistake.",
    Reason.NO_REPORTS: "Nobody has reported of the dependency for a minute, so nothing is known about it.",
    Reason.FORBIDDEN: "The ServiceAccount that the policy names may not do what its ladder, or the step, does.",
    Reason.SERVICE_ACCOUNT_UNSET: "The policy names no ServiceAccount, and this operator wants one to answer for it.",
    Reason.RIGHTS_UNKNOWN: "Whether the policy's ServiceAccount may do it could not be asked, so it is not done.",
    Reason.TRIAL_OFFERED: "The recovery timeout of an external target is over: one caller at a time may try it.",
}
