import { typed, type EnvoyConfig } from "./envoy-config.ts";

export const MAX_HEAP_BYTES = 1024 * 1024 * 1024;
export const MAX_CONNECTIONS = 50_000;

export interface OverloadLimits {
  readonly maxHeapBytes: number;
  /** Of clients, on all listeners. */
  readonly maxConnections: number;
  /** Of clients, on the listener that serves them. */
  readonly maxEdgeConnections: number;
}

/** Sheds load before the process runs out of memory; the thresholds are those of Envoy's guide for an edge. */
export function overloadManager({
  maxHeapBytes,
  maxConnections,
}: OverloadLimits): EnvoyConfig {
  const monitors = "envoy.extensions.resource_monitors";
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      {
        name: "envoy.resource_monitors.fixed_heap",
        typed_config: typed(`${monitors}.fixed_heap.v3.FixedHeapConfig`, {
          max_heap_size_bytes: maxHeapBytes,
        }),
      },
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: typed(
          `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
          { max_active_downstream_connections: maxConnections },
        ),
      },
    ],
    actions: [
      reduceTimeouts(),
      heapAction("envoy.overload_actions.shrink_heap", 0.95),
      heapAction("envoy.overload_actions.stop_accepting_requests", 0.98),
    ],
  };
}

/** From 85 % of the heap on, what idles is let go sooner and sooner. */
function reduceTimeouts(): EnvoyConfig {
  const timers = [
    ["HTTP_DOWNSTREAM_CONNECTION_IDLE", "2s"],
    ["HTTP_DOWNSTREAM_STREAM_IDLE", "2s"],
    ["TRANSPORT_SOCKET_CONNECT", "2s"],
  ] as const;
  return {
    name: "envoy.overload_actions.reduce_timeouts",
    triggers: [
      {
        name: "envoy.resource_monitors.fixed_heap",
        scaled: { scaling_threshold: 0.85, saturation_threshold: 0.95 },
      },
    ],
    typed_config: typed(
      "envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
      {
        timer_scale_factors: timers.map(([timer, min_timeout]) => ({
          timer,
          min_timeout,
        })),
      },
    ),
  };
}

function heapAction(name: string, threshold: number): EnvoyConfig {
  return {
    name,
    triggers: [
      {
        name: "envoy.resource_monitors.fixed_heap",
        threshold: { value: threshold },
      },
    ],
  };
}
