import {
  status,
  type handleUnaryCall,
  type Server,
  type StatusObject,
} from "@grpc/grpc-js";
import { RateLimitService } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { peerOfCall } from "../../platform/rpc/grpc-context.ts";
import { methodDefinition } from "../../platform/rpc/grpc-mount.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Descriptor } from "../domain/check.ts";
import type { Decision } from "../domain/decision.ts";
import { decodeRequest, type LimitRequest } from "./decode-request.ts";
import { createEncoder } from "./encode-response.ts";
import { writeResponse, type LimitResponse } from "./write-response.ts";

export interface RateLimitDeps {
  readonly logger: Logger;
  readonly decide: (
    domain: string,
    descriptors: readonly Descriptor[],
  ) => Promise<Decision>;
  readonly release: (
    domain: string,
    ended: readonly ReadonlyMap<string, string>[],
  ) => Promise<void>;
}

/**
 * Mounts Envoy's `RateLimitService`, for the peer `edge` alone. It is mounted bare: a decision takes less than the spans that
 * the platform's middleware would make of it, and Envoy's own span of the question shows how long it took.
 */
export function mountRateLimit(server: Server, deps: RateLimitDeps): void {
  const method = RateLimitService.method.shouldRateLimit;
  const encodeResponse = createEncoder();
  const shouldRateLimit: handleUnaryCall<Uint8Array, Uint8Array> = (
    call,
    callback,
  ) => {
    if (peerOfCall(call) !== "edge") {
      callback({ code: status.PERMISSION_DENIED, details: "not the edge" });
      return;
    }
    const reply = async () => {
      try {
        callback(null, encodeResponse(await answer(deps, call.request)));
      } catch (error) {
        callback(refusalOf(deps, error));
      }
    };
    void reply();
  };
  const definition = { shouldRateLimit: methodDefinition(method) };
  server.addService(definition, { shouldRateLimit });
}

function refusalOf(deps: RateLimitDeps, error: unknown): Partial<StatusObject> {
  if (error instanceof MalformedRequestError)
    return { code: status.INVALID_ARGUMENT, details: error.message };
  deps.logger.error({ err: error }, "a decision failed by our fault");
  return { code: status.INTERNAL, details: "an internal error" };
}

class MalformedRequestError extends Error {
  override readonly name = "MalformedRequestError";
}

async function answer(
  deps: RateLimitDeps,
  bytes: Uint8Array,
): Promise<LimitResponse> {
  const { domain, descriptors, released } = decode(bytes);
  if (released.length > 0) await deps.release(domain, released);
  const decision = await deps.decide(domain, descriptors);
  return writeResponse(decision);
}

function decode(bytes: Uint8Array): LimitRequest {
  try {
    return decodeRequest(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new MalformedRequestError(`the request can't be read: ${why}`);
  }
}
