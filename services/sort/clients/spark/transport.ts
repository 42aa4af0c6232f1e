import {
  create,
  toBinary,
  type DescMessage,
  type DescMethod,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  type Transport,
} from "@connectrpc/connect";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { SparkConnectService } from "../../../../gen/ts/spark/connect/base_pb.ts";
import { callServerStream } from "../../../platform/rpc/grpc-stream-call.ts";
import type { OutgoingCall } from "../../../platform/rpc/outgoing-call.ts";
import { callUnary } from "../../../platform/rpc/unary-call.ts";
import type { SparkClient } from "./operation.ts";
import type { SparkRemote } from "./remote.ts";

/** A client of a Spark Connect server, and how it is closed. */
export function connectSparkClient(remote: SparkRemote): {
  client: SparkClient;
  close(): void;
} {
  const transport = createSparkTransport(remote);
  return {
    client: createClient(SparkConnectService, transport),
    close: () => transport.close(),
  };
}

interface SparkTransport extends Transport {
  close(): void;
}

/** Spark's own limit of a message is 128 MB; what it tells of a sort is far smaller. */
const maxMessageBytes = 16 * 1024 * 1024;
const unaryMs = 20_000;
/** Spark ends a stream every two minutes by itself, and it is attached to again. */
const streamMs = 10 * 60_000;

/**
 * Calls to a Spark Connect server, which is none of the mesh: it knows neither our identities nor our policies, and what is
 * tried again is for its caller to say.
 */
function createSparkTransport(remote: SparkRemote): SparkTransport {
  const client = new Client(
    remote.address,
    remote.isTls ? credentials.createSsl() : credentials.createInsecure(),
    {
      "grpc.max_receive_message_length": maxMessageBytes,
      // One that restarts is back in some seconds; grpc-js would wait for up to two minutes.
      "grpc.initial_reconnect_backoff_ms": 500,
      "grpc.max_reconnect_backoff_ms": 5_000,
      // A server that is gone without a word is noticed within 40 s.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 20_000,
    },
  );
  const open = (
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): OutgoingCall => {
    const endsAt = Date.now() + timeoutMs;
    return {
      deadline: endsAt,
      remainingMs: () => endsAt - Date.now(),
      signal,
      metadata: () => headersOf(remote),
    };
  };
  return {
    unary(method, signal, timeoutMs, _header, input) {
      const outgoing = open(signal, timeoutMs ?? unaryMs);
      return callUnary(client, method, encode(method, input), outgoing);
    },
    async stream(method, signal, timeoutMs, _header, input) {
      if (method.methodKind !== "server_streaming") {
        throw new ConnectError(method.name, Code.Unimplemented);
      }
      for await (const request of input) {
        const outgoing = open(signal, timeoutMs ?? streamMs);
        const bytes = encode(method, request);
        return callServerStream(client, method, bytes, outgoing);
      }
      throw new ConnectError("a stream needs a request", Code.Internal);
    },
    close: () => client.close(),
  };
}

function encode<I extends DescMessage>(
  method: DescMethod & { readonly input: I },
  input: Parameters<typeof create<I>>[1],
): Uint8Array {
  return toBinary(method.input, create(method.input, input));
}

function headersOf({ token }: SparkRemote): Metadata {
  const metadata = new Metadata();
  if (token) metadata.set("authorization", `Bearer ${token.reveal()}`);
  return metadata;
}
