import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import {
  ErrorInfoSchema,
  type ErrorInfo,
} from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import type { EdgeAnswer, EdgeRequest } from "../../support/edge-http.ts";

const table = readRouteTable(
  new URL("../../../gen/edge/routes.json", import.meta.url),
);

/** Every method of the contracts. */
export const methods = table.services.flatMap((service) => service.methods);
export type Method = (typeof methods)[number];

/** One way to ask for a method: a protocol and a path. */
export interface PathForm {
  readonly name: string;
  readonly method: Method;
  readonly request: EdgeRequest;
  /** The HTTP status of a refusal that REST tells by this one. */
  readonly statusOf: (rest: number) => number;
  readonly read: (answer: EdgeAnswer) => ToldRefusal;
}

/** What a refusal tells, whichever protocol carried it. */
export interface ToldRefusal {
  readonly code: keyof typeof Code;
  readonly message: string;
  readonly info: Pick<ErrorInfo, "reason" | "domain" | "metadata">;
}

/** Every path form of a method, in every protocol. */
export function pathFormsOf(method: Method): PathForm[] {
  const isUnary = method.stream === "unary";
  return [
    rpc(method, "gRPC", "application/grpc", readHeaders, () => 200),
    rpc(
      method,
      "gRPC-Web",
      "application/grpc-web+proto",
      readHeaders,
      () => 200,
    ),
    isUnary
      ? rpc(method, "Connect", "application/json", readConnect, (rest) => rest)
      : rpc(
          method,
          "Connect stream",
          "application/connect+json",
          readEndOfStream,
          () => 200,
        ),
    ...method.rest.map(({ verb, pattern }) => ({
      name: `REST ${verb} ${pattern}`,
      method,
      request: {
        method: verb,
        path: somePath(pattern),
        ...(verb === "GET" || verb === "DELETE"
          ? {}
          : { headers: { "content-type": "application/json" }, body: "{}" }),
      },
      statusOf: (rest: number) => rest,
      read: readRest,
    })),
  ];
}

/** A path of a template, such as `/v1/{name=orders/*}`. */
export function somePath(pattern: string): string {
  return pattern.replace(/\{\w+=?([^}]*)\}/g, (_, inner: string) =>
    (inner || "*").replaceAll("*", SOME_ID),
  );
}

const SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8050";

function rpc(
  method: Method,
  name: string,
  type: string,
  read: PathForm["read"],
  statusOf: PathForm["statusOf"],
): PathForm {
  const isJson = type === "application/json";
  return {
    name: `${name} ${method.path}`,
    method,
    request: {
      method: "POST",
      path: method.path,
      headers: { "content-type": type, te: "trailers" },
      body: isJson ? "{}" : Buffer.alloc(5),
    },
    statusOf,
    read,
  };
}

function readHeaders({ headers }: EdgeAnswer): ToldRefusal {
  const details = Buffer.from(
    String(headers["grpc-status-details-bin"]),
    "base64",
  );
  const status = fromBinary(StatusSchema, details);
  const message = decodeURIComponent(String(headers["grpc-message"]));
  const any = status.details[0];
  const info = any && anyUnpack(any, ErrorInfoSchema);
  if (
    status.message !== message ||
    String(status.code) !== headers["grpc-status"]
  ) {
    throw new Error(
      `the details tell ${status.message}, the status ${message}`,
    );
  }
  return { code: codeName(status.code), message, info: infoOf(info) };
}

function readConnect({ json }: EdgeAnswer): ToldRefusal {
  return fromConnectError(json());
}

function readEndOfStream({ body }: EdgeAnswer): ToldRefusal {
  const length = body.readUInt32BE(1);
  if (body[0] !== 2 || body.length !== 5 + length) {
    throw new Error(`not the end of a Connect stream: ${String(body)}`);
  }
  const end = JSON.parse(body.subarray(5).toString()) as { error: unknown };
  return fromConnectError(end.error);
}

function fromConnectError(error: unknown): ToldRefusal {
  // What Connect's specification says an error is; the assertions of the tests show whether it is one.
  const { code, message, details } = error as {
    code: string;
    message: string;
    details: { type: string; value: string }[];
  };
  const value = Buffer.from(details[0]?.value ?? "", "base64");
  return {
    code: connectCodes[code] ?? "Unknown",
    message,
    info: infoOf(fromBinary(ErrorInfoSchema, value)),
  };
}

function readRest({ json, headers }: EdgeAnswer): ToldRefusal {
  if (headers["content-type"] !== "application/json") {
    throw new Error(`an error as ${headers["content-type"]}`);
  }
  // The edge's one shape of errors, as above.
  const { code, message, details } = json() as {
    code: number;
    message: string;
    details: ({ "@type": string } & ToldRefusal["info"])[];
  };
  return { code: codeName(code), message, info: infoOf(details[0]) };
}

function infoOf(info: Partial<ToldRefusal["info"]> | undefined) {
  const { reason = "", domain = "", metadata = {} } = info ?? {};
  return { reason, domain, metadata: { ...metadata } };
}

function codeName(code: number): keyof typeof Code {
  // The name of a number of the enum.
  return Code[code] as keyof typeof Code;
}

const connectCodes: Readonly<Record<string, keyof typeof Code>> = {
  unauthenticated: "Unauthenticated",
  permission_denied: "PermissionDenied",
  resource_exhausted: "ResourceExhausted",
  unimplemented: "Unimplemented",
};
