import { typed, type EnvoyConfig } from "./envoy-config.ts";

const MAX_HEAP_BYTES = 1024 * 1024 * 1024;
const MAX_CONNECTIONS = 50_000;

/** Sheds load before the process runs out of memory; the thresholds are those of Envoy's guide for an edge. */
export function overloadManager(): EnvoyConfig {
  const monitors = "envoy.extensions.resource_monitors";
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      {
        name: "envoy.resource_monitors.fixed_heap",
        typed_config: typed(`${monitors}.fixed_heap.v3.FixedHeapConfig`, {
          max_heap_size_bytes: MAX_HEAP_BYTES,
        }),
      },
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: typed(
          `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
          { max_active_downstream_connections: MAX_CONNECTIONS },
        ),
      },
    ],
    actions: [
      heapAction("envoy.overload_actions.shrink_heap", 0.95),
      heapAction("envoy.overload_actions.stop_accepting_requests", 0.98),
    ],
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
