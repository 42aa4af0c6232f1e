import type { PageTokens } from "../../platform/rpc/page-token.ts";
import { isAtOrBefore, type ChangeCursor } from "../store/order-changes.ts";
import type { LogState } from "../store/order-log.ts";

/** A place in the log of changes that a client may hold for a while. */
export interface LogPosition {
  /** Whose transaction ids it counts in. */
  readonly cluster: string;
  readonly after: ChangeCursor;
  /** The snapshot that the client has read already; undefined once the place is past it. */
  readonly seen: string | undefined;
}

/** The place where all goes on that a reader of this moment does not see. */
export function positionOf({ cluster, snapshot }: LogState): LogPosition {
  const xmin = snapshot.slice(0, snapshot.indexOf(":"));
  return { cluster, after: { xid: xmin, seq: "0" }, seen: snapshot };
}

/** The same reading, further on, never back. Past its snapshot's end everything is new, and the snapshot is dropped. */
export function moveOn(position: LogPosition, to: ChangeCursor): LogPosition {
  const { seen } = position;
  const after = isAtOrBefore(to, position.after) ? position.after : to;
  const xmax = seen?.split(":")[1];
  const isPast = xmax !== undefined && BigInt(after.xid) >= BigInt(xmax);
  return { ...position, after, seen: isPast ? undefined : seen };
}

/** Whether the log has forgotten something after the place, or is another one. */
export function isLost(
  { cluster, after }: LogPosition,
  log: LogState,
): boolean {
  return cluster !== log.cluster || !isAtOrBefore(log.pruned, after);
}

/** A snapshot of many transactions makes a long token; without it some changes are told twice. */
const longestSnapshot = 1_000;

/** A place as the strings of a token. Numbers are told by their distance: they have ten digits, and differ in the last. */
export function toStrings(position: LogPosition): string[] {
  const { cluster, after, seen } = position;
  const place = [cluster, after.xid, after.seq];
  if (seen === undefined) return place;
  const [xmin = "", xmax = "", xips = ""] = seen.split(":");
  const origin = BigInt(xmin);
  const distance = (xid: string) => (BigInt(xid) - origin).toString(36);
  const running = xips === "" ? "" : xips.split(",").map(distance).join(",");
  return running.length > longestSnapshot
    ? place
    : [...place, xmin, distance(xmax), running];
}

/** The reverse of {@link toStrings}. */
export function ofStrings(strings: readonly string[]): LogPosition {
  const [cluster = "", xid = "0", seq = "0", xmin, xmax = "", running = ""] =
    strings;
  const after = { xid, seq };
  if (xmin === undefined) return { cluster, after, seen: undefined };
  const absolute = (distance: string) => BigInt(xmin) + base36(distance);
  const xips = running === "" ? [] : running.split(",").map(absolute);
  const seen = `${xmin}:${absolute(xmax)}:${xips.join(",")}`;
  return { cluster, after, seen };
}

function base36(digits: string): bigint {
  return BigInt(Number.parseInt(digits, 36));
}

/** The token with which a watch of the tenant's orders goes on from a place. */
export function resumeTokenOf(
  tokens: PageTokens,
  tenant: string,
  position: LogPosition,
): string {
  return tokens.encode(["order changes", tenant], toStrings(position));
}

/** @throws DomainError RESUME_TOKEN_INVALID, RESUME_TOKEN_EXPIRED. */
export function positionOfToken(
  tokens: PageTokens,
  tenant: string,
  token: string,
): LogPosition {
  return ofStrings(tokens.decode(["order changes", tenant], token));
}
