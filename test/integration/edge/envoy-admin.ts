import { z } from "zod";
import type { EdgeWorld } from "./edge-world.ts";

/** A number of Envoy's own; 0 where nothing has happened yet. */
export async function envoyStat(
  { adminPort }: Pick<EdgeWorld, "adminPort">,
  name: string,
): Promise<number> {
  const exact = encodeURIComponent(`^${name}$`);
  const response = await fetch(
    `http://127.0.0.1:${adminPort}/stats?filter=${exact}`,
  );
  const line = (await response.text()).trim();
  return line === "" ? 0 : Number(line.slice(line.lastIndexOf(":") + 1));
}

const connections = z.looseObject({
  name: z.string(),
  per_connection_buffer_limit_bytes: z.number().optional(),
});
const dump = z.object({
  configs: z.array(
    z.object({
      static_listeners: z
        .array(z.object({ listener: connections }))
        .default([]),
      static_clusters: z.array(z.object({ cluster: connections })).default([]),
    }),
  ),
});

/** Every listener and cluster that Envoy runs with. */
export async function connectionsOf({
  adminPort,
}: Pick<EdgeWorld, "adminPort">) {
  const response = await fetch(`http://127.0.0.1:${adminPort}/config_dump`);
  const { configs } = dump.parse(await response.json());
  return configs.flatMap(({ static_listeners, static_clusters }) => [
    ...static_listeners.map(({ listener }) => listener),
    ...static_clusters.map(({ cluster }) => cluster),
  ]);
}

const managers = z.object({
  filter_chains: z.array(
    z.object({
      filters: z.array(z.object({ typed_config: z.looseObject({}) })),
    }),
  ),
});

/** What the listener of the edge does with HTTP, as Envoy runs it. */
export async function httpManagerOf(edge: Pick<EdgeWorld, "adminPort">) {
  const listener = (await connectionsOf(edge)).find(
    ({ name }) => name === "edge",
  );
  const [chain] = managers.parse(listener).filter_chains;
  return chain?.filters[0]?.typed_config;
}

const runtime = z.object({
  entries: z.record(z.string(), z.object({ final_value: z.string() })),
});

/** Envoy's runtime values, by key. */
export async function runtimeOf({ adminPort }: Pick<EdgeWorld, "adminPort">) {
  const response = await fetch(
    `http://127.0.0.1:${adminPort}/runtime?format=json`,
  );
  const { entries } = runtime.parse(await response.json());
  return Object.fromEntries(
    Object.entries(entries).map(([key, { final_value }]) => [key, final_value]),
  );
}
