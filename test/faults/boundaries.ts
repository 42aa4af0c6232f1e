import { channel } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { Channel, status } from "@grpc/grpc-js";
import { Kafka } from "kafkajs";
import pg from "pg";

/** Something that a service does to the world outside: `text` names it, `detail` is with what. */
export interface Deed {
  readonly kind: "sql" | "call" | "provider" | "publish" | "commit offsets";
  readonly text: string;
  readonly detail: () => string;
}

/**
 * Told before a deed is done. What it answers is called when the deed is done for good: a statement inside of a
 * transaction when that is committed or prepared. Undefined where nobody cares.
 */
export type Watch = (deed: Deed) => (() => void) | undefined;

/**
 * Watches a process at its drivers: statements of `pg`, calls on channels of grpc-js, requests of Node's HTTP client, batches that
 * kafkajs sends and offsets that it commits. So a crash can be placed between any two effects of the very code that runs
 * in production, which knows nothing of it.
 */
export function watchBoundaries(watch: Watch): void {
  watchStatements(watch);
  watchCalls(watch);
  watchProvider(watch);
  watchKafka(watch);
}

/** Of a transaction; `commit prepared` is a statement by itself. */
const ENDS = /^(commit|rollback)$|^prepare transaction/i;

function watchStatements(watch: Watch): void {
  // Wrapped as they are: their overloads are the callers' business.
  const prototype = pg.Client.prototype as unknown as Wrapped<"query">;
  const { query } = prototype;
  const inside = new WeakMap<object, (() => void)[]>();
  prototype.query = function (this: object, ...args: unknown[]) {
    const { text, values } = statementOf(args);
    const done = watch({
      kind: "sql",
      text,
      detail: () => values.map(String).join("\n"),
    });
    const result = query.apply(this, args);
    if (/^begin/i.test(text)) inside.set(this, []);
    const pending = inside.get(this);
    const ends = ENDS.test(text);
    if (ends) inside.delete(this);
    if (!(result instanceof Promise)) return result;
    if (pending && !ends) {
      if (done) pending.push(done);
      return result;
    }
    const isLost = /^rollback$/i.test(text);
    return result.then((answer: unknown) => {
      if (!isLost) [...(pending ?? []), done].forEach((each) => each?.());
      return answer;
    });
  };
}

function statementOf([config, values]: unknown[]) {
  if (typeof config === "string") {
    return { text: config, values: Array.isArray(values) ? values : [] };
  }
  const { text = "", values: own = [] } = config as {
    text?: string;
    values?: unknown[];
  };
  return { text, values: own };
}

function watchCalls(watch: Watch): void {
  const prototype = Channel.prototype as unknown as {
    createCall(...args: unknown[]): {
      start(metadata: unknown, listener: StatusListener): void;
    };
  };
  const { createCall } = prototype;
  prototype.createCall = function (...args) {
    const deed = { kind: "call", text: String(args[0]) } as const;
    const done = watch({ ...deed, detail: () => "" });
    const call = createCall.apply(this, args);
    if (!done) return call;
    const start = call.start.bind(call);
    call.start = (metadata, listener) => {
      const receive = listener.onReceiveStatus.bind(listener);
      listener.onReceiveStatus = (received) => {
        if (received.code === status.OK) done();
        receive(received);
      };
      start(metadata, listener);
    };
    return call;
  };
}

interface StatusListener {
  onReceiveStatus(received: { readonly code: number }): void;
}

function watchProvider(watch: Watch): void {
  const under = new WeakMap<object, () => void>();
  channel("http.client.request.created").subscribe((message) => {
    const { request } = message as { request: ClientRequest };
    const text = `${request.method} ${request.path}`;
    const done = watch({ kind: "provider", text, detail: () => "" });
    if (done) under.set(request, done);
  });
  channel("http.client.response.finish").subscribe((message) => {
    const { request } = message as { request: ClientRequest };
    under.get(request)?.();
  });
}

function watchKafka(watch: Watch): void {
  const { producer, consumer } = Kafka.prototype;
  Kafka.prototype.producer = function (...args) {
    const made = producer.apply(this, args);
    const { sendBatch } = made;
    made.sendBatch = async (batch) => {
      const topics = batch.topicMessages?.map(({ topic }) => topic) ?? [];
      const text = topics.join(" ");
      const done = watch({ kind: "publish", text, detail: () => "" });
      const answer = await sendBatch(batch);
      done?.();
      return answer;
    };
    return made;
  };
  Kafka.prototype.consumer = function (config) {
    const made = consumer.call(this, config);
    const { run } = made;
    made.run = (options) => {
      const eachBatch = options?.eachBatch;
      if (!eachBatch) return run(options);
      return run({
        ...options,
        eachBatch: (payload) =>
          eachBatch({
            ...payload,
            async commitOffsetsIfNecessary(offsets) {
              const text = config?.groupId ?? "";
              const deed = { kind: "commit offsets", text } as const;
              const done = watch({ ...deed, detail: () => "" });
              await payload.commitOffsetsIfNecessary(offsets);
              done?.();
            },
          }),
      });
    };
    return made;
  };
}

type Wrapped<Name extends string> = Record<
  Name,
  (this: object, ...args: unknown[]) => unknown
>;
