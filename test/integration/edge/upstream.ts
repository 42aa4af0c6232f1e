import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer, type IncomingHttpHeaders } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import type { CertificateFiles } from "../../../deploy/local/certificate-files.ts";
import {
  Order_State,
  OrderSchema,
} from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { serve, service } from "../../../services/platform/rpc/server.ts";
import { watchedTlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { silentLogger } from "../../support/silent-logger.ts";

export interface Upstream extends AsyncDisposable {
  /** Stops; its calls have so long to end. */
  readonly stop: (patienceMs: number) => Promise<void>;
  /** The headers of the calls that arrived, by header name. */
  readonly calls: Headers[];
  /** Emits "aborted" with the method's name when a handler that is at work is told to stop. */
  readonly events: EventEmitter;
}

export interface UpstreamOptions {
  readonly ca: string;
  readonly files: CertificateFiles;
  readonly grpcPort: number;
  readonly connectPort: number;
}

/** Orders that exist by their last digit: 0 is there, everything else is not. */
export const ORDER = "orders/01890a5d-ac96-774b-bcce-b302099a8050";
export const NO_ORDER = "orders/01890a5d-ac96-774b-bcce-b302099a8051";
/** Its watch begins, and fails. */
export const LOST_ORDER = "orders/01890a5d-ac96-774b-bcce-b302099a8052";
/** A customer whose list never comes. */
export const SLOW = "slow";
/** A customer without orders. */
export const NONE = "none";
/** A customer whose list is 2 MB long. */
export const MANY = "many";
/** And one whose list is 10 MB long, which is more than sockets hold. */
export const MORE = "more";

const LENGTHS: Readonly<Record<string, number>> = {
  [NONE]: 0,
  [MANY]: 20_000,
  [MORE]: 100_000,
};

/** An order service of a few lines behind the platform's two servers, so that the edge meets what it will meet. */
export async function startUpstream(
  options: UpstreamOptions,
): Promise<Upstream> {
  const calls: Headers[] = [];
  const events = new EventEmitter();
  const seen = (context: HandlerContext) => calls.push(context.requestHeader);
  const work = async (milliseconds: number, context: HandlerContext) => {
    try {
      await delay(milliseconds, undefined, { signal: context.signal });
    } catch (error) {
      events.emit("aborted", context.method.name);
      throw error;
    }
  };
  const server = await serve({
    host: "127.0.0.1",
    grpcPort: options.grpcPort,
    connectPort: options.connectPort,
    tls: watchedTlsFiles({ ca: options.ca, ...options.files }),
    services: [service(OrderService, orders(seen, work))],
    logger: silentLogger,
  });
  return {
    calls,
    events,
    stop: (patienceMs) => server.drain(AbortSignal.timeout(patienceMs)),
    [Symbol.asyncDispose]: () => server.drain(AbortSignal.timeout(100)),
  };
}

/** The upstream's next aborted handler, by method name. */
export async function nextAbort(upstream: Upstream): Promise<string> {
  const [method] = await once(upstream.events, "aborted", {
    signal: AbortSignal.timeout(10_000),
  });
  return String(method);
}

function orders(
  seen: (context: HandlerContext) => void,
  work: (milliseconds: number, context: HandlerContext) => Promise<void>,
): ServiceImpl<typeof OrderService> {
  return {
    createOrder(request, context) {
      seen(context);
      const { lines = [] } = request.order ?? {};
      return { order: { name: ORDER, lines, state: Order_State.PLACED } };
    },
    getOrder(request, context) {
      seen(context);
      if (request.name !== ORDER) throw notFound(request.name);
      return { order: { name: ORDER, state: Order_State.PLACED } };
    },
    async listOrders(request, context) {
      seen(context);
      context.responseHeader.set("x-verb", context.requestMethod);
      const asked = context.requestHeader.get("x-asked");
      if (asked !== null) {
        context.responseHeader.set("x-seen", asked);
        context.responseTrailer.set("x-counted", String(asked.length));
      }
      if (request.customer === SLOW) await work(60_000, context);
      const count = LENGTHS[request.customer] ?? 1;
      const order = create(OrderSchema, {
        name: ORDER,
        customer: request.customer,
        etag: "x".repeat(40),
      });
      return { orders: Array.from({ length: count }, () => order) };
    },
    cancelOrder(request, context) {
      seen(context);
      return { order: { name: request.name, state: Order_State.CANCELLING } };
    },
    async *watchOrders(request, context) {
      seen(context);
      if (request.name === NO_ORDER) throw notFound(request.name);
      yield { event: { case: "order", value: { name: ORDER } } };
      if (request.name === LOST_ORDER) throw notFound(request.name);
      while (!context.signal.aborted) {
        await work(200, context);
        yield { event: { case: "heartbeat", value: timestampNow() } };
        if (request.name === ORDER) return;
      }
    },
  };
}

function notFound(name: string): DomainError {
  return new DomainError({
    code: "not_found",
    reason: "ORDER_NOT_FOUND",
    message: `there is no ${name}`,
    metadata: { order: name },
  });
}

export interface SilentServer extends AsyncDisposable {
  /** The headers of the next call that arrives. */
  nextCall(): Promise<IncomingHttpHeaders>;
  /** Resolves when a stream that it left without an answer was reset. */
  nextReset(): Promise<void>;
}

/** A server that takes calls and never answers. */
export async function startSilentServer(
  options: Omit<UpstreamOptions, "connectPort">,
): Promise<SilentServer> {
  const events = new EventEmitter();
  const server = createSecureServer({
    ca: readFileSync(options.ca),
    cert: readFileSync(options.files.cert),
    key: readFileSync(options.files.key),
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.on("session", (session) =>
    events.once("stop", () => session.destroy()),
  );
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    stream.on("close", () => events.emit("reset"));
    events.emit("call", headers);
  });
  server.listen(options.grpcPort, "127.0.0.1");
  await once(server, "listening");
  return {
    async nextCall() {
      const signal = AbortSignal.timeout(10_000);
      const [headers] = await once(events, "call", { signal });
      return headers;
    },
    async nextReset() {
      await once(events, "reset", { signal: AbortSignal.timeout(10_000) });
    },
    async [Symbol.asyncDispose]() {
      server.close();
      events.emit("stop");
    },
  };
}
