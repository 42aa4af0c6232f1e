import type { Caller } from "../../platform/rpc/caller.ts";
import type { Reach } from "../domain/signed.ts";

/** From where a caller uses what is signed for it: whom the edge lets in is outside, and a service inside. */
export function reachOf({ peer }: Pick<Caller, "peer">): Reach {
  return peer === "edge" ? "outside" : "inside";
}
