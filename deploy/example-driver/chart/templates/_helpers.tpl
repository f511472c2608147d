{{- define "driver.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "driver.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "driver.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "driver.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "driver.namespace" -}}
{{- $namespace := .Values.namespaceOverride | default .Release.Namespace -}}
{{- if .Values.namespace -}}
{{- fail "there is no value `namespace`: install into one with --namespace, or set namespaceOverride" -}}
{{- end -}}
{{- if and (eq $namespace "default") (not .Values.allowDefaultNamespace) -}}
{{- fail "the driver should not run in the namespace default: add --namespace dra-example-driver --create-namespace, or set allowDefaultNamespace=true" -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{- define "driver.driverName" -}}
{{- .Values.driverName | default (printf "%s.example.com" .Values.deviceProfile) -}}
{{- end -}}

{{- define "driver.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (printf "%s-service-account" (include "driver.fullname" .)) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "driver.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "driver.selector" -}}
{{- if .Values.selectorLabelsOverride -}}
{{- toYaml .Values.selectorLabelsOverride -}}
{{- else -}}
app.kubernetes.io/name: {{ include "driver.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- end -}}

{{- define "driver.labels" -}}
{{ include "driver.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The newest version of resource.k8s.io that the cluster serves. */}}
{{- define "driver.resourceApi" -}}
{{- range list "v1" "v1beta2" "v1beta1" -}}
{{- if $.Capabilities.APIVersions.Has (printf "resource.k8s.io/%s" .) -}}
{{- printf "resource.k8s.io/%s " . -}}
{{- end -}}
{{- end -}}
{{- end -}}
