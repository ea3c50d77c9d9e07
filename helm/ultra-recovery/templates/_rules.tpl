{{/* The rights, each with the feature that needs it. Nothing has a right on Secrets. */}}

{{- define "ultra-recovery.operatorRules" -}}
# Read what users declare, and the runs.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers, recoverypolicies, recoveryruns]
  verbs: [list, watch]
# Reports that callers write into a breaker overtake our own write: it is tried again over what is stored now.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers]
  verbs: [get]
# A run is the intent, written before anything is done.
- apiGroups: [recovery.ultra.dev]
  resources: [recoveryruns]
  verbs: [create]
# Retention: spec.history of a policy says how many completed runs are kept.
- apiGroups: [recovery.ultra.dev]
  resources: [recoveryruns]
  verbs: [delete]
# State, conditions, decisions and records.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers/status, recoverypolicies/status, recoveryruns/status]
  verbs: [patch]
# Targets: readiness, rollouts, selectors.
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list, watch]
# Health of pods; addresses of http probes must be pods of the breaker's namespace.
- apiGroups: [""]
  resources: [pods, services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# restartPods.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
# runJob: a Job is made from a suspended CronJob, and looked at until it has ended.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, create]
# One run at a time works on a target: its Lease stands in the target's namespace. The leader's Lease.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update, delete]
# Events on our own objects.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.authorization.checkCreator }}
# authorization.checkCreator: may the ServiceAccount that a policy names do what the ladder does?
- apiGroups: [authorization.k8s.io]
  resources: [{{ ternary "subjectaccessreviews" "localsubjectaccessreviews" (eq .Values.scope "cluster") }}]
  verbs: [create]
{{- end }}
{{- end }}

{{/* The annotation recovery.ultra.dev/paused on a namespace. The argument is a list of the root and a namespace, "" for all. */}}
{{- define "ultra-recovery.namespaceRules" -}}
# The annotation recovery.ultra.dev/paused on a namespace.
- apiGroups: [""]
  resources: [namespaces]
  {{- if . }}
  resourceNames: [{{ join ", " . }}]
  verbs: [get]
  {{- else }}
  verbs: [list, watch]
  {{- end }}
{{- end }}

{{- define "ultra-recovery.apiRules" -}}
{{- /* In one pod with the operator it has these rights already. */}}
{{- if eq .Values.api.mode "separate" }}
# Recovery API: what it shows.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers, recoverypolicies, recoveryruns]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list, watch]
# Recovery API: a call is written as a run, and read again when the same call comes twice.
- apiGroups: [recovery.ultra.dev]
  resources: [recoveryruns]
  verbs: [create]
{{- end }}
# Recovery API: resets are annotations of breakers; approvals and cancellations are annotations of runs.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers, recoveryruns]
  verbs: [get, patch]
# Recovery API: what callers report about a breaker.
- apiGroups: [recovery.ultra.dev]
  resources: [circuitbreakers/status]
  verbs: [patch]
{{- if include "ultra-recovery.audience" . }}
# Recovery API: whose token a caller sends, and what they may do. Needed where api.audience is set.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
{{- end }}
