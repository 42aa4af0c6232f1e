import { z } from "zod";
import type { PeerName } from "./peer.ts";

const shape = z.object({
  peer: z.custom<PeerName>((value) => typeof value === "string"),
  /** Of the server to call. */
  address: z.string().optional(),
  /** To serve on; a free one when left out. */
  port: z.number().optional(),
  /** Sent with every call; only the edge asks for one. */
  token: z.string().optional(),
  /** OTLP endpoint; no telemetry when left out. */
  telemetry: z.string().optional(),
  tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
});

export type ProcessOptions = z.infer<typeof shape>;

/** The options of a server or client process, from its one argument. */
export function readProcessOptions(json: string | undefined): ProcessOptions {
  return shape.parse(JSON.parse(json ?? "{}"));
}
