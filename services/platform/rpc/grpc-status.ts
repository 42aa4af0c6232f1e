import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
} from "@bufbuild/protobuf";
import { anyPack, AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Metadata, ServiceError, StatusObject } from "@grpc/grpc-js";
import {
  StatusSchema,
  type Status,
} from "../../../gen/ts/google/rpc/status_pb.ts";
import { metadataToHeaders, UnpaddedMetadata } from "./grpc-metadata.ts";

/** The trailer that carries a binary `google.rpc.Status`, with the error's details. */
const detailsKey = "grpc-status-details-bin";

/** A ConnectError as a status that grpc-js sends, with its details and any trailers. */
export function toGrpcStatus(
  error: ConnectError,
  trailers: Metadata = new UnpaddedMetadata(),
): StatusObject {
  error.metadata.forEach((value, name) => trailers.set(name, value));
  if (error.details.length > 0) {
    const bytes = toBinary(StatusSchema, toStatus(error));
    trailers.set(detailsKey, Buffer.from(bytes));
  }
  // Connect's codes are gRPC's numbers.
  return {
    code: error.code as number,
    details: error.rawMessage,
    metadata: trailers,
  };
}

/** A ConnectError as a message. */
export function toStatus(error: ConnectError): Status {
  return create(StatusSchema, {
    code: error.code,
    message: error.rawMessage,
    details: error.details.map(packDetail),
  });
}

/** The ConnectError that {@link toStatus} made a message of. */
export function fromStatus(status: Status): ConnectError {
  const error = new ConnectError(status.message, status.code as Code);
  error.details = status.details.map(unpackDetail);
  return error;
}

/**
 * A status that grpc-js received, as the ConnectError that Connect clients know: its metadata are the trailers, and the
 * headers that came before them.
 */
export function fromGrpcStatus(
  status: ServiceError | StatusObject,
  header?: Metadata,
): ConnectError {
  const metadata = metadataToHeaders(status.metadata);
  if (header) {
    metadataToHeaders(header).forEach((value, key) =>
      metadata.append(key, value),
    );
  }
  const error = new ConnectError(
    // Whatever grpc-js's types say: a peer may send no message.
    (status.details as string | undefined) ?? "",
    codeOf(status),
    metadata,
  );
  error.isWireError = true;
  error.details = unpackDetails(status.metadata);
  return error;
}

/**
 * A proxy that limits rates may answer HTTP 429 and no gRPC status. grpc-js makes UNAVAILABLE of it, which is tried again at
 * once; it means RESOURCE_EXHAUSTED.
 */
function codeOf({ code, details }: ServiceError | StatusObject): Code {
  if (code === 0) return Code.Unknown;
  // Connect's codes are gRPC's numbers.
  const stated = code as number as Code;
  return stated === Code.Unavailable && details === HTTP_429
    ? Code.ResourceExhausted
    : stated;
}

const HTTP_429 = "Received HTTP status code 429";

function packDetail(detail: ConnectError["details"][number]): Any {
  if ("desc" in detail) {
    const desc: DescMessage = detail.desc;
    return anyPack(desc, create(desc, detail.value));
  }
  return create(AnySchema, {
    typeUrl: `type.googleapis.com/${detail.type}`,
    value: detail.value,
  });
}

function unpackDetails(metadata: Metadata): ConnectError["details"] {
  const bytes = metadata.get(detailsKey)[0];
  if (bytes === undefined || typeof bytes === "string") {
    return [];
  }
  return fromBinary(StatusSchema, bytes).details.map(unpackDetail);
}

function unpackDetail({ typeUrl, value }: Any) {
  return { type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value };
}
