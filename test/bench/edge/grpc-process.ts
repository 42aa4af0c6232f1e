import { z } from "zod";

const shape = z.object({
  /** Of the server to call. */
  address: z.string().optional(),
  tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
});

/** The options of a server or client process, from its one argument. */
export function readGrpcOptions(json: string | undefined) {
  return shape.parse(JSON.parse(json ?? "{}"));
}
