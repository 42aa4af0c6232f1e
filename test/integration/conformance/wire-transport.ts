import {
  create,
  toBinary,
  type DescMessage,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { Client } from "@grpc/grpc-js";
import {
  headersToMetadata,
  type RequestHeaders,
} from "../../../services/platform/rpc/grpc-metadata.ts";
import {
  callDuplex,
  callServerStream,
} from "../../../services/platform/rpc/grpc-stream-call.ts";
import type { OutgoingCall } from "../../../services/platform/rpc/outgoing-call.ts";
import { callUnary } from "../../../services/platform/rpc/unary-call.ts";

const callLimitMs = 10_000;

/**
 * The mesh's transport without what is no matter of the protocol: the policy's deadline, retries, breakers and mutual TLS.
 */
export function wireTransport(client: Client): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input) {
      const outgoing = toOutgoing(signal, timeoutMs, header);
      const request = encode(method.input, input);
      return callUnary(client, method, request, outgoing);
    },
    async stream(method, signal, timeoutMs, header, input) {
      const outgoing = toOutgoing(signal, timeoutMs, header);
      if (method.methodKind !== "server_streaming") {
        return callDuplex(client, method, input, outgoing);
      }
      const [only] = await Array.fromAsync(input);
      if (!only) throw new Error("a request message is needed");
      const request = encode(method.input, only);
      return callServerStream(client, method, request, outgoing);
    },
  };
}

function encode<Desc extends DescMessage>(
  desc: Desc,
  message: MessageInitShape<Desc>,
): Uint8Array {
  return toBinary(desc, create(desc, message));
}

function toOutgoing(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  headers: RequestHeaders,
): OutgoingCall {
  const deadline = Date.now() + (timeoutMs ?? Infinity);
  // No call of the mesh waits for ever. Here the callee must not learn of it: the suite asks what it was told.
  const limit = AbortSignal.timeout(callLimitMs);
  return {
    deadline,
    remainingMs: () => deadline - Date.now(),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    metadata: () => headersToMetadata(headers ?? []),
  };
}
