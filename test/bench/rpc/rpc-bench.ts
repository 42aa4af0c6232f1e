import { createMeshTls } from "../../support/mesh-tls.ts";
import { machineLine, saveResult } from "../save-result.ts";
import { compareEdge } from "./compare-edge.ts";
import { comparePeers } from "./compare-peers.ts";
import { startSink } from "./start-peer.ts";

/** Measures unary calls: the platform against bare grpc-js and connect-node, and through the edge against direct. */
export async function run(): Promise<number> {
  console.log(`rpc on ${machineLine()}`);
  await using tls = await createMeshTls(["order"]);
  await using sink = await startSink();
  const peers = await comparePeers({ tls, sink });
  const edge = await compareEdge({ tls, sink });
  const file = await saveResult("rpc", { peers, edge });
  console.log(`written to ${file.pathname}`);
  const missed = peers.targets.filter((target) => !target.met);
  return missed.length === 0 ? 0 : 1;
}
