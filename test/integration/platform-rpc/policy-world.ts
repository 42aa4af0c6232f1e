import {
  clearExtension,
  createFileRegistry,
  fromBinary,
  type DescExtension,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  type DescriptorProto,
} from "@bufbuild/protobuf/wkt";
import {
  ConnectError,
  type Code,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { readFileSync } from "node:fs";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import * as rules from "../../../gen/ts/buf/validate/validate_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import {
  serve,
  service,
  type RunningServer,
} from "../../../services/platform/rpc/server.ts";
import { reasonOf } from "../../../services/platform/rpc/status.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import type { TlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import { createMeshTls, type MeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const generated = new URL("../../../gen/edge/", import.meta.url);

export const protocols = ["gRPC", "Connect"] as const;
export type Protocol = (typeof protocols)[number];

/** What the contracts say of each method, as the edge reads it. */
export const methods = readRouteTable(
  new URL("routes.json", generated),
).services.flatMap((service) => service.methods);

/** Every service of the mesh that a policy names, and one that none names. */
export const services = [
  ...new Set(methods.flatMap(({ callers }) => callers)),
  "shop",
];

export interface Question {
  readonly protocol: Protocol;
  /** `edge`, one of `services`, or `nobody`, whose certificate is good and names no part of the mesh. */
  readonly peer: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PolicyWorld extends AsyncDisposable {
  /** The paths of all methods that are served. */
  readonly paths: readonly string[];
  /** How an empty request ends; what a handler throws has the reason `REACHED`. */
  ask(path: string, question: Question): Promise<Outcome>;
}

export interface Outcome {
  readonly code: Code;
  readonly reason: string | undefined;
  /** Whether the handler ran. */
  readonly isReached: boolean;
}

/** All services of the contracts behind one of the platform's servers, with handlers that only tell that they ran. */
export async function servePolicies(): Promise<PolicyWorld> {
  await using starting = new AsyncDisposableStack();
  const tls = starting.use(await createMeshTls(["all", ...services]));
  let reached = 0;
  const descs = servicesWithoutRules();
  const server = await serve({
    host: "127.0.0.1",
    grpcPort: 0,
    connectPort: 0,
    tls: tls.of("all"),
    services: descs.map((desc) =>
      service(
        desc,
        answeredBy(desc, () => (reached += 1)),
      ),
    ),
    logger: silentLogger,
  });
  starting.defer(() => server.drain(AbortSignal.timeout(200)));
  const transports = openTransports(starting, server, tls);
  const byPath = new Map(
    descs.flatMap((desc) => desc.methods.map((each) => [pathOf(each), each])),
  );
  const running = starting.move();
  return {
    paths: [...byPath.keys()],
    async ask(path, { protocol, peer, headers }) {
      const method = byPath.get(path);
      const transport = transports.get(`${peer} ${protocol}`);
      if (!method || !transport) throw new Error(`no ${path} for ${peer}`);
      const before = reached;
      const error = await failureOf(transport, method, headers);
      const { code } = error;
      return { code, reason: reasonOf(error), isReached: reached > before };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** As the contracts have them, but for the rules of fields: so an empty request gets to the handler of every method. */
function servicesWithoutRules(): DescService[] {
  const set = fromBinary(
    FileDescriptorSetSchema,
    readFileSync(new URL("weft.binpb", generated)),
  );
  set.file.flatMap((file) => file.messageType).forEach(dropRules);
  return [...createFileRegistry(set)]
    .filter((desc) => desc.kind === "service")
    .filter(({ typeName }) => typeName.startsWith("weft."));
}

function dropRules(message: DescriptorProto): void {
  drop(message.options, rules.message);
  message.field.forEach(({ options }) => drop(options, rules.field));
  message.oneofDecl.forEach(({ options }) => drop(options, rules.oneof));
  message.nestedType.forEach(dropRules);
}

function drop<Options extends Message>(
  options: Options | undefined,
  extension: DescExtension,
): void {
  if (options) clearExtension(options, extension);
}

function answeredBy(desc: DescService, tell: () => void) {
  const handler = (): never => {
    tell();
    throw new DomainError({
      code: "failed_precondition",
      reason: "REACHED",
      message: "the handler ran",
    });
  };
  // Every method of the service has a key, and a handler that only throws is one of every kind.
  return Object.fromEntries(
    desc.methods.map(({ localName }) => [localName, handler]),
  ) as ServiceImpl<DescService>;
}

/** By peer and protocol. */
function openTransports(
  stack: AsyncDisposableStack,
  server: RunningServer,
  tls: MeshTls,
): ReadonlyMap<string, Transport> {
  const transports = new Map<string, Transport>();
  for (const peer of ["edge", ...services, "nobody"]) {
    const shown = peer === "nobody" ? nameless(tls) : tls.of(peer);
    const grpc = createMeshTransport({
      address: `127.0.0.1:${server.grpcPort}`,
      callee: "all",
      tls: shown,
      logger: silentLogger,
    });
    stack.defer(() => grpc.close());
    transports.set(`${peer} gRPC`, grpc);
    const connect = createConnectTransport({
      httpVersion: "2",
      baseUrl: `https://localhost:${server.connectPort}`,
      nodeOptions: { ...shown },
    });
    transports.set(`${peer} Connect`, connect);
  }
  return transports;
}

/** The issuer is known to clients from outside by its host alone. */
function nameless(tls: MeshTls): TlsFiles {
  const { cert, key } = tls.certificates.issuer;
  const { ca } = tls.of("edge");
  return { ca, cert: readFileSync(cert), key: readFileSync(key) };
}

async function failureOf(
  transport: Transport,
  method: DescMethod,
  headers: Readonly<Record<string, string>>,
): Promise<ConnectError> {
  try {
    if (method.methodKind === "unary") {
      // A method of this kind is one, which DescMethod does not say by itself.
      const unary = method as DescMethodUnary;
      await transport.unary(unary, undefined, undefined, headers, {});
    } else {
      // Every other kind is.
      const streaming = method as DescMethodStreaming;
      const { message } = await transport.stream(
        streaming,
        undefined,
        undefined,
        headers,
        oneMessage(),
      );
      for await (const _ of message);
    }
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error(`${pathOf(method)} should have failed`);
}

async function* oneMessage() {
  yield {};
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
