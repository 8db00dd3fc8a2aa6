{{/* The name of everything: the release's. */}}
{{- define "akl.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "akl.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "akl.labels" -}}
{{ include "akl.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "akl.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/*
One word of nginx' configuration.  It is quoted unless it needs none, so that
no value ends a directive or begins another.
*/}}
{{- define "akl.word" -}}
{{- $text := . | toString -}}
{{- if kindIs "float64" . -}}
{{- $text = . | int64 | toString -}}
{{- end -}}
{{- if regexMatch "^[A-Za-z0-9_./:*?@%+,=~-]+$" $text -}}
{{ $text }}
{{- else -}}
"{{ $text | replace "\\" "\\\\" | replace "\"" "\\\"" }}"
{{- end -}}
{{- end }}

{{/* A block: the list of its directive, its name, and its members. */}}
{{- define "akl.block" -}}
{{ index . 0 }} {{ include "akl.word" (index . 1) }} {
{{- range $name, $value := index . 2 }}
    {{ $name }}
    {{- range (kindIs "slice" $value | ternary $value (list $value)) }} {{ include "akl.word" . }}{{ end }};
{{- end }}
}
{{ end }}

{{- define "akl.auth" -}}
{{- range $id, $members := .Values.authMethods }}
{{ include "akl.block" (list "akl_k8s_auth_method" $id $members) }}
{{- end }}
{{- range $name, $members := .Values.authConfigs }}
{{ include "akl.block" (list "akl_k8s_auth_config" $name $members) }}
{{- end }}
{{- end }}

{{/*
The name of what belongs to no namespace: with the namespace's, unless the
release has the same name.
*/}}
{{- define "akl.clusterName" -}}
{{- if eq .Release.Name .Release.Namespace -}}
{{ include "akl.name" . }}
{{- else -}}
{{ printf "%s-%s" .Release.Namespace (include "akl.name" .) }}
{{- end -}}
{{- end }}
