import {
  createFileRegistry,
  fromBinary,
  fromJson,
  getOption,
  toJson,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type JsonObject,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { globSync, readFileSync } from "node:fs";
import {
  Access,
  method as policy,
} from "../../gen/ts/weft/policy/v1/policy_pb.ts";

/** The contracts of the last release, see the README there: its clients must go on working. */
export interface PreviousRelease {
  /** What clients outside may call. */
  readonly forOutside: readonly DescMethod[];
  /** What services alone may call. */
  readonly forServices: readonly DescMethod[];
  /** Finds the methods of a service by their names. */
  readonly methodsOf: (service: string) => (name: string) => DescMethod;
}

export function readPreviousRelease(): PreviousRelease {
  const [file = "none"] = globSync("test/polyglot/previous/*.binpb");
  const contracts = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, readFileSync(file)),
  );
  const methods = Array.from(contracts).flatMap((desc) =>
    desc.kind === "service" ? desc.methods : [],
  );
  return {
    forOutside: methods.filter((method) => !isForServices(method)),
    forServices: methods.filter(isForServices),
    methodsOf: (service) => (name) => {
      const method = methods.find(
        (each) => each.parent.typeName === service && each.name === name,
      );
      if (method) return method;
      throw new Error(`the last release has no ${service}/${name}`);
    },
  };
}

function isForServices(method: DescMethod): boolean {
  return getOption(method, policy).access === Access.SERVICE;
}

/** A client with nothing but the last release's descriptors. Messages are JSON here, as they say it. */
export interface PreviousClient extends Disposable {
  /** The answer, or the last one of a stream. */
  readonly call: (
    method: DescMethod,
    request: JsonObject,
  ) => Promise<JsonObject>;
}

export interface PreviousClientOptions {
  /** Takes the methods that answered; a refusal is no answer. */
  readonly answered?: Set<DescMethod>;
  /** Sent with every call. */
  readonly header?: Readonly<Record<string, string>>;
}

/** The transport ends with the client. */
export function previousClient(
  transport: Transport & Disposable,
  { answered, header = {} }: PreviousClientOptions = {},
): PreviousClient {
  return {
    call: async (method, request) => {
      const input = fromJson(method.input, request);
      const message = await answerOf(transport, method, input, header);
      answered?.add(method);
      // A message in JSON is an object.
      return toJson(method.output, message) as JsonObject;
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

async function answerOf(
  transport: Transport,
  method: DescMethod,
  input: Message,
  header: Readonly<Record<string, string>>,
): Promise<Message> {
  const options = [undefined, undefined, header] as const;
  if (isUnary(method)) {
    return (await transport.unary(method, ...options, input)).message;
  }
  const inputs = createAsyncIterable([input]);
  // What is not unary streams.
  const stream = method as DescMethodStreaming;
  const { message } = await transport.stream(stream, ...options, inputs);
  const last = (await Array.fromAsync(message)).at(-1);
  if (last === undefined) throw new Error("the stream had no message");
  return last;
}

function isUnary(method: DescMethod): method is DescMethod & DescMethodUnary {
  return method.methodKind === "unary";
}
