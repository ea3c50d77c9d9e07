{{/* What the pods of the operator and of the API have in common. */}}

{{- define "ultra-recovery.podMetadata" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
labels:
  {{- include "ultra-recovery.selector" . | nindent 2 }}
  {{- with merge (dict) $root.Values.podLabels $root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "ultra-recovery.podSpec" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
{{- include "ultra-recovery.podSecurity" $root | nindent 0 }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- if $root.Values.affinity }}
  {{- toYaml $root.Values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "ultra-recovery.selector" . | nindent 14 }}
  {{- end }}
{{- if $root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range $root.Values.topologySpreadConstraints }}
  - {{- toYaml . | nindent 4 }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels:
        {{- include "ultra-recovery.selector" $ | nindent 8 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "ultra-recovery.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "ultra-recovery.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment that the operator and the API read alike. */}}
{{- define "ultra-recovery.sharedEnv" -}}
- {name: ULTRA_SCOPE, value: {{ .Values.scope }}}
{{- with include "ultra-recovery.namespaces" . }}
- {name: ULTRA_WATCH_NAMESPACES, value: {{ . | quote }}}
{{- end }}
- {name: ULTRA_LOG_LEVEL, value: {{ .Values.logLevel }}}
{{- end }}

{{- define "ultra-recovery.operatorContainer" -}}
name: operator
image: {{ include "ultra-recovery.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [operator]
env:
  - name: ULTRA_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - name: ULTRA_IDENTITY
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: ULTRA_POD_IPS
    valueFrom: {fieldRef: {fieldPath: status.podIPs}}
  {{- include "ultra-recovery.sharedEnv" . | nindent 2 }}
  {{- if .Values.paused }}
  # Absent while it is false: a pause by `kubectl set env` outlives an upgrade.
  - {name: ULTRA_PAUSED, value: "true"}
  {{- end }}
  - {name: ULTRA_CHECK_CREATOR, value: {{ .Values.authorization.checkCreator | quote }}}
  {{- with .Values.probeAllow }}
  - {name: ULTRA_PROBE_ALLOW, value: {{ join "," . | quote }}}
  {{- end }}
  - {name: ULTRA_BUDGET_WORKLOAD, value: {{ .Values.budgets.workload | quote }}}
  - {name: ULTRA_BUDGET_NAMESPACE, value: {{ .Values.budgets.namespace | quote }}}
  - {name: ULTRA_BUDGET_CLUSTER, value: {{ .Values.budgets.cluster | quote }}}
  # Jobs that work on databases run this image, in the namespace of the database.
  - {name: ULTRA_IMAGE, value: {{ include "ultra-recovery.image" . | quote }}}
  - {name: ULTRA_SERVICE_ACCOUNT, value: {{ include "ultra-recovery.serviceAccount" . }}}
  - {name: ULTRA_OPS_PORT, value: {{ .Values.ports.ops | quote }}}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: ops, containerPort: {{ .Values.ports.ops }}}
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 2
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{ include "ultra-recovery.containerSecurity" . }}
{{- end }}

{{- define "ultra-recovery.apiContainer" -}}
{{- $scheme := ternary "HTTPS" "HTTP" (not (empty .Values.api.tls.secretName)) -}}
name: api
image: {{ include "ultra-recovery.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [api]
env:
  {{- include "ultra-recovery.sharedEnv" . | nindent 2 }}
  - {name: ULTRA_API_PORT, value: {{ .Values.ports.api | quote }}}
  {{- with include "ultra-recovery.audience" . }}
  # Tokens of the cluster are accepted if they were made for this audience: kubectl create token --audience.
  - {name: ULTRA_API_AUDIENCE, value: {{ . | quote }}}
  {{- end }}
  {{- if include "ultra-recovery.hasTokens" . }}
  - {name: ULTRA_API_TOKENS, value: /etc/ultra-recovery/tokens/tokens.json}
  {{- end }}
  {{- if .Values.api.tls.secretName }}
  - {name: ULTRA_API_TLS, value: /etc/ultra-recovery/tls}
  {{- end }}
  {{- with .Values.api.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: api, containerPort: {{ .Values.ports.api }}}
livenessProbe:
  httpGet: {path: /livez, port: api, scheme: {{ $scheme }}}
  periodSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: api, scheme: {{ $scheme }}}
  periodSeconds: 2
resources:
  {{- toYaml .Values.api.resources | nindent 2 }}
{{ include "ultra-recovery.containerSecurity" . }}
{{- if or (include "ultra-recovery.hasTokens" .) .Values.api.tls.secretName }}
volumeMounts:
  {{- if include "ultra-recovery.hasTokens" . }}
  - {name: api-tokens, mountPath: /etc/ultra-recovery/tokens, readOnly: true}
  {{- end }}
  {{- if .Values.api.tls.secretName }}
  - {name: api-tls, mountPath: /etc/ultra-recovery/tls, readOnly: true}
  {{- end }}
{{- end }}
{{- end }}

{{- define "ultra-recovery.apiVolumes" -}}
{{- if include "ultra-recovery.hasTokens" . }}
- name: api-tokens
  secret:
    secretName: {{ include "ultra-recovery.tokensSecret" . }}
    # The digests alone: the tokens themselves stay out of the pods.
    items: [{key: tokens.json, path: tokens.json}]
    {{- if and .Values.api.tokens.existingSecret (include "ultra-recovery.audience" .) }}
    # It may come later: until then tokens of the cluster are good.
    optional: true
    {{- end }}
{{- end }}
{{- with .Values.api.tls.secretName }}
- name: api-tls
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}
