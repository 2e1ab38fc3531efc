{{/* The port of each service, as docs/operations.md has them. */}}
{{- define "goodword.port" -}}
{{- get (dict "tracking" 8710 "rules" 8711 "rewards" 8712 "notify" 8713) . -}}
{{- end -}}

{{/* What finds the pods of one service: (dict "root" $ "service" "rules"). It never changes. */}}
{{- define "goodword.selector" -}}
app.kubernetes.io/name: goodword
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "goodword.labels" -}}
{{ include "goodword.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | quote }}
{{- end -}}

{{- define "goodword.name" -}}
{{- printf "%s-%s" .root.Release.Name .service | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Settings of one service: everybody's, then its own, then what the approval asks for. Whole numbers stay whole. */}}
{{- define "goodword.env" -}}
{{- $settings := merge (dict) (.spec.settings | default dict) .root.Values.settings -}}
{{- if eq .service "rules" -}}
{{- $_ := set $settings "GOODWORD_RULES_REQUIRE_APPROVAL" .root.Values.approval.rules -}}
{{- $_ := set $settings "GOODWORD_RULES_REQUIRE_BACKTEST" .root.Values.approval.backtest -}}
{{- end -}}
{{- if eq .service "rewards" -}}
{{- $_ := set $settings "GOODWORD_REWARDS_REQUIRE_APPROVAL" .root.Values.approval.payouts -}}
{{- end -}}
- name: GOODWORD_SECRETS_DIR
  value: /run/secrets/goodword
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ (kindIs "float64" $value | ternary ($value | toJson) ($value | toString)) | quote }}
{{- end }}
{{- end -}}
