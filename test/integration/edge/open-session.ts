import { once } from "node:events";
import { connect, type ClientHttp2Session } from "node:http2";
import type { EdgeWorld } from "./edge-world.ts";

/** A connection that the edge has told its settings. */
export async function openSession(
  edge: Pick<EdgeWorld, "url" | "ca">,
): Promise<ClientHttp2Session> {
  const session = connect(edge.url, { ca: edge.ca });
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  return session;
}
