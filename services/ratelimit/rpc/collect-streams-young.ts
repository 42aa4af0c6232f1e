import { subscribe } from "node:diagnostics_channel";
import { setFlagsFromString } from "node:v8";
import { StreamTable } from "./stream-table.ts";

const CHANNELS = ["http2.server.stream.created", "http2.client.stream.created"];

let started = false;

/**
 * Lets the calls of this process die young. Left alone, Node 26 keeps two of three streams, with all that hangs on a call
 * (5 kB), until a full collection, by two causes: the sessions' `Map` of streams (see {@link StreamTable}), and V8's guess that
 * what lived long once is better made old. At 30,000 calls/s of an empty server every young collection took 5 ms instead of
 * 0.8, and the p99 of 64 calls in flight was 10 ms instead of 4.
 *
 * Young collections are this thread's own work besides. There is half a megabyte to copy, 1 ms; V8 shares it out to threads
 * that have to be given a core first, and where Redis and Envoy have the cores every tenth collection took 3.7 ms. A decision
 * took 63 us of CPU with them and 50 without.
 *
 * Old memory is collected at four times what the last collection left. Left alone, V8 begins when what it may grow by is no more than the young
 * generation takes, which here was after 5 MB: a pause of 20 ms a second, and a p99 of 36 ms at half of the capacity instead of 7.
 *
 * Node has no option for a session's map, so it is replaced when the session's first stream is made. Where Node's insides are
 * not as they were, nothing is done, and nothing is lost but time. This service alone does all that: every request at the edge
 * waits for its answer.
 */
export function collectStreamsYoung(): void {
  if (started) return;
  started = true;
  setFlagsFromString("--no-allocation-site-pretenuring");
  setFlagsFromString("--no-parallel-scavenge");
  setFlagsFromString("--heap-growing-percent=300");
  for (const channel of CHANNELS) subscribe(channel, onStream);
}

function onStream(message: unknown): void {
  // Node's documentation: `{ stream, headers }`.
  const { session } = (message as { stream: { session?: object } }).stream;
  if (session !== undefined) replaceStreams(session);
}

let stateKey: symbol | undefined;

function replaceStreams(session: object): void {
  stateKey ??= Object.getOwnPropertySymbols(session).find(
    ({ description }) => description === "state",
  );
  if (stateKey === undefined) return;
  const state: unknown = Reflect.get(session, stateKey);
  if (!hasStreams(state) || state.streams instanceof StreamTable) return;
  const table = new StreamTable<unknown>();
  state.streams.forEach((stream, id) => table.set(id, stream));
  state.streams = table;
}

type Streams = Pick<StreamTable<unknown>, "forEach">;

/** A map of Node's own, which is no `Map` of ours. */
function hasStreams(state: unknown): state is { streams: Streams } {
  return (
    typeof state === "object" &&
    state !== null &&
    "streams" in state &&
    typeof state.streams === "object" &&
    state.streams !== null &&
    "forEach" in state.streams
  );
}
