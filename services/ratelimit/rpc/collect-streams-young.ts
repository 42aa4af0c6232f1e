import { subscribe } from "node:diagnostics_channel";
import { setFlagsFromString } from "node:v8";
import { StreamList } from "./stream-list.ts";
import { StreamTable } from "./stream-table.ts";

const CHANNELS = ["http2.server.stream.created", "http2.client.stream.created"];

let started = false;

/**
 * Lets the calls of this process die young. Left alone, Node 26 keeps two of three streams, with all that hangs on a call
 * (5 kB), until a full collection, by two causes: the sessions' `Map` of streams (see {@link StreamTable}), and V8's guess that
 * what lived long once is better made old. At 30,000 calls/s of an empty server every young collection took 5 ms instead of
 * 0.8, and the p99 of 64 calls in flight was 10 ms instead of 4. The `Set` of streams that are being made (see
 * {@link StreamList}) left 40 bytes a call besides.
 *
 * Young collections are this thread's own work besides. There is half a megabyte to copy, 1 ms; V8 shares it out to threads
 * that have to be given a core first, and where Redis and Envoy have the cores every tenth collection took 3.7 ms. A decision
 * took 63 us of CPU with them and 50 without.
 *
 * What is left is old from the start: V8 puts the strings there whose text is Node's, as that of each header. They are 160 bytes
 * a call, and at 27,000 calls/s full collections are 1 % of the time, however often they come. So what can be chosen is how
 * long one is. Old memory is collected at 1.6 times what the last collection left: 25 ms, and 75 where glibc is left alone (see
 * `deploy/local/allocator.ts`), less than the edge waits for an answer (100). Left alone, V8 begins when what it may grow by is
 * no more than the young generation takes, here after 5 MB, so often that the p99 was 36 ms at half of the capacity instead of 9.
 *
 * Node has no option for a session's map and set, so they are replaced when the session's first stream is made. Where Node's
 * insides are not as they were, nothing is done, and nothing is lost but time. This service alone does all that: every request
 * at the edge waits for its answer.
 */
export function collectStreamsYoung(): void {
  if (started) return;
  started = true;
  setFlagsFromString("--no-allocation-site-pretenuring");
  setFlagsFromString("--no-parallel-scavenge");
  setFlagsFromString("--heap-growing-percent=60");
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
  const pending = new StreamList<object>();
  state.pendingStreams.forEach((stream) => pending.add(stream));
  state.streams = table;
  state.pendingStreams = pending;
}

interface SessionState {
  streams: Pick<StreamTable<unknown>, "forEach">;
  pendingStreams: Pick<StreamList<object>, "forEach">;
}

/** A map and a set of Node's own, which are no `Map` and no `Set` of ours. */
function hasStreams(state: unknown): state is SessionState {
  return (
    typeof state === "object" &&
    state !== null &&
    "streams" in state &&
    hasForEach(state.streams) &&
    "pendingStreams" in state &&
    hasForEach(state.pendingStreams)
  );
}

function hasForEach(streams: unknown): boolean {
  return (
    typeof streams === "object" && streams !== null && "forEach" in streams
  );
}
