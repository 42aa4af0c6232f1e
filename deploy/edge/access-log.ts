import { CALLER_METADATA } from "./claims-filter.ts";
import { typed, type EnvoyConfig } from "./envoy-config.ts";

const caller = (key: string) =>
  `%DYNAMIC_METADATA(${CALLER_METADATA.namespace}:${CALLER_METADATA.key}:${key})%`;

/** One line a request. No query strings and no headers of the client but its agent: both may carry tokens. */
const FIELDS = {
  time: "%START_TIME%",
  request_id: "%REQ(X-REQUEST-ID)%",
  trace_id: "%TRACE_ID%",
  method: "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
  path: "%PATH(NQ:ORIG_OR_PATH)%",
  route: "%ROUTE_NAME%",
  protocol: "%PROTOCOL%",
  status: "%RESPONSE_CODE%",
  grpc_status: "%GRPC_STATUS_NUMBER%",
  response_flags: "%RESPONSE_FLAGS%",
  details: "%RESPONSE_CODE_DETAILS%",
  upstream_cluster: "%UPSTREAM_CLUSTER%",
  upstream_attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
  duration_ms: "%DURATION%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  tenant: caller("tenant"),
  subject: caller("subject"),
  client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  user_agent: "%REQ(USER-AGENT)%",
} as const;

/** The access log: JSON on standard output, and OTLP where a collector takes logs (Jaeger takes traces only). */
export function accessLogs(options: {
  readonly collector: string | undefined;
}): EnvoyConfig[] {
  const toOutput = {
    name: "envoy.access_loggers.stdout",
    typed_config: typed(
      "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
      {
        log_format: { json_format: FIELDS },
      },
    ),
  };
  return options.collector
    ? [toOutput, otlpLog(options.collector)]
    : [toOutput];
}

function otlpLog(collector: string): EnvoyConfig {
  return {
    name: "envoy.access_loggers.open_telemetry",
    typed_config: typed(
      "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
      {
        grpc_service: {
          envoy_grpc: { cluster_name: collector },
          timeout: "0.25s",
        },
        log_name: "edge",
        resource_attributes: keyValues({ "service.name": "edge" }),
        body: {
          string_value: `${FIELDS.method} ${FIELDS.path} ${FIELDS.status}`,
        },
        attributes: keyValues(FIELDS),
      },
    ),
  };
}

function keyValues(fields: Readonly<Record<string, string>>): EnvoyConfig {
  const values = Object.entries(fields).map(([key, value]) => ({
    key,
    value: { string_value: value },
  }));
  return { values };
}
