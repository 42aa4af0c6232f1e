import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
  type ErrorInfo,
  type RetryInfo,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";

export const ERROR_DOMAIN = "weft.dev";

export function errorInfo(
  reason: string,
  metadata: Readonly<Record<string, string>> = {},
): ErrorInfo {
  return create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata });
}

export function retryInfo(seconds: number): RetryInfo {
  const retryDelay = { seconds: BigInt(seconds), nanos: 0 };
  return create(RetryInfoSchema, { retryDelay });
}

/** A `google.rpc.Status` with its details, as `grpc-status-details-bin` holds it. */
export function statusDetails(
  code: number,
  message: string,
  info: ErrorInfo,
  retry?: RetryInfo,
): string {
  const status = create(StatusSchema, {
    code,
    message,
    details: [
      anyPack(ErrorInfoSchema, info),
      ...(retry ? [anyPack(RetryInfoSchema, retry)] : []),
    ],
  });
  return unpadded(toBinary(StatusSchema, status));
}

/** Base64 without padding, as gRPC and Connect write binary values. */
export function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
