{{/* Names, labels and other things that several templates say. */}}

{{- define "ultra-recovery.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ultra-recovery.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := include "ultra-recovery.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels of every object; the argument is a list of the root and a component, which may be empty. */}}
{{- define "ultra-recovery.labels" -}}
{{- $root := index . 0 }}
{{- include "ultra-recovery.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ultra-recovery
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "ultra-recovery.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "ultra-recovery.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "ultra-recovery.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "ultra-recovery.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "ultra-recovery.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* The component whose pods serve the API, and their ServiceAccount. */}}
{{- define "ultra-recovery.apiComponent" -}}
{{ ternary "api" "operator" (eq .Values.api.mode "separate") }}
{{- end }}

{{- define "ultra-recovery.apiServiceAccount" -}}
{{- if eq .Values.api.mode "sidecar" -}}
{{ include "ultra-recovery.serviceAccount" . }}
{{- else if .Values.api.serviceAccountName -}}
{{ .Values.api.serviceAccountName }}
{{- else if .Values.serviceAccount.create -}}
{{ include "ultra-recovery.fullname" . }}-api
{{- else -}}
default
{{- end }}
{{- end }}

{{- define "ultra-recovery.tokensSecret" -}}
{{ .Values.api.tokens.existingSecret | default (printf "%s-api-tokens" (include "ultra-recovery.fullname" .)) }}
{{- end }}

{{/* Tokens of the cluster are looked up by a ClusterRole, which only the scope "cluster" has. */}}
{{- define "ultra-recovery.audience" -}}
{{- if eq .Values.scope "cluster" }}{{ .Values.api.audience }}{{ end }}
{{- end }}

{{- define "ultra-recovery.hasTokens" -}}
{{- if or .Values.api.tokens.existingSecret .Values.api.tokens.generate }}true{{ end }}
{{- end }}

{{/* The namespaces that are watched, separated by commas; empty: all. */}}
{{- define "ultra-recovery.namespaces" -}}
{{- if or .Values.watchNamespaces (eq .Values.scope "namespace") -}}
{{ prepend .Values.watchNamespaces .Release.Namespace | uniq | join "," }}
{{- end }}
{{- end }}
