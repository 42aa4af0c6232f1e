import {
  create,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { Client } from "@grpc/grpc-js";
import type { PeerCertificate } from "node:tls";
import type { Logger } from "../runtime/logger.ts";
import type { TlsFiles } from "../runtime/tls-files.ts";
import { logConnectivity } from "./connectivity.ts";
import { createBreaker, type Breaker, type BreakerOptions } from "./breaker.ts";
import { callDuplex, callServerStream } from "./grpc-stream-call.ts";
import { channelCredentials } from "./grpc-credentials.ts";
import type { RequestHeaders } from "./grpc-metadata.ts";
import { messageLimit } from "./limits.ts";
import { openOutgoing } from "./outgoing-call.ts";
import { peerOfNames } from "./peer.ts";
import { isRetriable, policyOf } from "./policy.ts";
import { createRetryBudget, withRetries } from "./retry.ts";
import { callUnary } from "./unary-call.ts";

export interface MeshTransportOptions {
  /** `host:port` of the callee's gRPC port. */
  readonly address: string;
  /** The callee's mesh identity; a connection to anybody else is refused. */
  readonly callee: string;
  readonly tls: TlsFiles;
  readonly logger: Logger;
  readonly breaker?: BreakerOptions;
}

/** A transport that is closed when the service that made it stops. */
export interface MeshTransport extends Transport {
  close(): void;
}

/**
 * The transport of Connect clients inside the mesh: gRPC on a grpc-js channel with mutual TLS.
 *
 * A call made while another is served takes over its deadline (less a margin), its cancellation, its trace and the
 * identity it acts for; outside of any it has the policy's timeout. A call waits for the connection while the callee
 * restarts. What a callee refuses unread, as one that drains does, is sent once more, whatever it is. UNAVAILABLE is retried
 * where the contract says that it is safe, within a budget. Breakers guard the callee's reads and writes apart. Streams are
 * neither retried after that nor counted by the breakers. Errors are ConnectErrors with the callee's details.
 */
export function createMeshTransport(
  options: MeshTransportOptions,
): MeshTransport {
  const client = new Client(
    options.address,
    meshCredentials(options),
    // Without a name of its own grpc-js sends the host, and Node refuses an IP address there.
    { ...channelOptions, "grpc.ssl_target_name_override": options.callee },
  );
  logConnectivity(options, client, {
    callee: options.callee,
    address: options.address,
  });
  const budget = createRetryBudget();
  const breakers = {
    read: createBreaker(options, options.callee, "read", options.breaker),
    write: createBreaker(options, options.callee, "write", options.breaker),
  };
  const breakerOf = (method: DescMethod): Breaker =>
    policyOf(method).readOnly ? breakers.read : breakers.write;

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: RequestHeaders,
      input: MessageInitShape<I>,
    ): Promise<UnaryResponse<I, O>> {
      const request = create(method.input, input);
      const bytes = toBinary(method.input, request);
      const outgoing = openOutgoing(method, signal, timeoutMs, header);
      return withRetries(
        {
          budget,
          retriable: isRetriable(method, request),
          signal: outgoing.signal,
          remainingMs: outgoing.remainingMs,
        },
        () =>
          breakerOf(method).run(() =>
            callUnary(client, method, bytes, outgoing),
          ),
      );
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: RequestHeaders,
      input: AsyncIterable<MessageInitShape<I>>,
    ): Promise<StreamResponse<I, O>> {
      if (method.methodKind !== "server_streaming") {
        const outgoing = openOutgoing(method, signal, timeoutMs, header);
        return callDuplex(client, method, input, outgoing);
      }
      const request = await firstOf(method, input);
      const outgoing = openOutgoing(method, signal, timeoutMs, header);
      return callServerStream(client, method, request, outgoing);
    },

    close() {
      client.close();
      breakers.read.close();
      breakers.write.close();
    },
  };
}

const channelOptions = {
  "grpc.max_receive_message_length": messageLimit,
  // Nobody reads channelz here, and counting for it costs on every call.
  "grpc.enable_channelz": 0,
  // Our retries follow the contract, and those of a service config from DNS would add to them. What is left of grpc-js's own
  // is to send once more what no callee has read (REFUSED_STREAM): "grpc.enable_retries" would forbid that too.
  "grpc.service_config_disable_resolution": 1,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.min_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
};

function meshCredentials({ tls, callee, logger }: MeshTransportOptions) {
  return channelCredentials(tls, {
    // The name that counts is the mesh identity, not the host under which it was reached.
    checkServerIdentity: (_host: string, certificate: PeerCertificate) => {
      const peer = peerOfNames(certificate.subjectaltname);
      if (peer === callee) {
        return undefined;
      }
      // grpc-js keeps the error to itself and tries again, and calls wait: without this line nobody would know why.
      logger.error({ callee, met: peer }, "refused a callee that is another");
      return new Error(`expected the service ${callee}, met ${peer ?? "none"}`);
    },
  });
}

async function firstOf<I extends DescMessage>(
  method: DescMethodStreaming<I>,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<Uint8Array> {
  for await (const message of input) {
    return toBinary(method.input, create(method.input, message));
  }
  throw new ConnectError("a request message is needed", Code.InvalidArgument);
}
