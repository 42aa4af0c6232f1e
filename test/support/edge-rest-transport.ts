import {
  create,
  createRegistry,
  fromJson,
  getOption,
  toJson,
  type DescMessage,
  type DescMethod,
  type JsonObject,
  type JsonReadOptions,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import { file_google_rpc_error_details } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import type { EdgeRequest, EdgeResponse } from "./edge-http.ts";

/** A request without the choice of its HTTP version. */
export type RestRequest = Omit<EdgeRequest, "version">;
export type SendRest = (request: RestRequest) => Promise<EdgeResponse>;
/** A client of older contracts passes over fields that it does not know; ours have to know each. */
export type RestReading = Pick<Partial<JsonReadOptions>, "ignoreUnknownFields">;

/**
 * REST by the contract's `google.api.http` rules, as a Connect transport: the same tests read the same messages and errors
 * from it. An answer that is not what the contract promises (status, content type, one shape of errors) fails the call
 * with a plain Error.
 */
export function createRestTransport(
  sendRest: SendRest,
  reading: RestReading = {},
): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input) {
      const call = restCall(method, create(method.input, input));
      const response = await answered(
        sendRest({ ...call, signal, headers: headersOf(timeoutMs, header) }),
      );
      const json = JSON.parse(await textOf(response)) as JsonValue;
      expectType(response, "application/json");
      const { responseBody } = ruleOf(method);
      const message = fromJson(
        method.output,
        responseBody ? { [responseBody]: json } : json,
        reading,
      );
      return {
        ...envelope(method),
        header: headersOfAnswer(response),
        stream: false,
        method,
        message,
      };
    },
    async stream(method, signal, timeoutMs, header, inputs) {
      const [input] = await Array.fromAsync(inputs);
      const call = restCall(method, create(method.input, input));
      const response = await answered(
        sendRest({ ...call, signal, headers: headersOf(timeoutMs, header) }),
      );
      expectType(response, "application/x-ndjson");
      const message = lines(method.output, response, reading);
      return { ...envelope(method), stream: true, method, message };
    },
  };
}

/** The REST request of a call, by the method's rule: path, query, body. */
function restCall<I extends DescMessage>(
  method: DescMethod & { readonly input: I },
  message: MessageShape<I>,
): Pick<RestRequest, "method" | "path" | "body"> {
  const { pattern, body } = ruleOf(method);
  // A message in JSON is an object.
  const fields = toJson(method.input, message) as JsonObject;
  const path = templateOf(pattern.value).replace(
    /\{(\w+)(=[^}]*)?\}/g,
    (_, field: string) => {
      const value = textOfField(fields[field]);
      delete fields[field];
      return encodeURI(value);
    },
  );
  const verb = String(pattern.case).toUpperCase();
  if (body === "*") {
    return { method: verb, path, body: JSON.stringify(fields) };
  }
  const content = fields[body];
  delete fields[body];
  return {
    method: verb,
    path: withQuery(path, fields),
    ...(body && { body: JSON.stringify(content ?? {}) }),
  };
}

function withQuery(path: string, fields: JsonObject): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      query.append(name, textOfField(each));
    }
  }
  return query.size > 0 ? `${path}?${query.toString()}` : path;
}

/** Custom verbs of HTTP are the only patterns that are no text. */
function templateOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("no REST binding");
  return value;
}

/** The contracts put scalars alone into paths and queries. */
function textOfField(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "object") throw new Error("not a scalar");
  return String(value);
}

function headersOf(
  timeoutMs: number | undefined,
  header: Parameters<Transport["unary"]>[3],
): Record<string, string> {
  return {
    ...Object.fromEntries(new Headers(header)),
    "content-type": "application/json",
    ...(timeoutMs !== undefined && { "grpc-timeout": `${timeoutMs}m` }),
  };
}

function headersOfAnswer(response: EdgeResponse): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers)) {
    // HTTP/2's own begin with a colon.
    if (!name.startsWith(":")) headers.set(name, String(value));
  }
  return headers;
}

/** @throws ConnectError for an error of the contract's shape, ConnectError CANCELLED where our own signal ended the call. */
async function answered(sent: Promise<EdgeResponse>): Promise<EdgeResponse> {
  const response = await sent.catch((error: unknown) => {
    throw ConnectError.from(error);
  });
  if (response.status === 200) return response;
  const text = await textOf(response);
  expectType(response, "application/json");
  const status = fromJson(StatusSchema, JSON.parse(text), { registry });
  const isTooLarge =
    status.code === Code.ResourceExhausted && response.status === 413;
  if (HTTP_STATUS[status.code] !== response.status && !isTooLarge) {
    throw new Error(`HTTP ${response.status} for gRPC ${status.code}: ${text}`);
  }
  // Connect's codes are gRPC's numbers.
  const error = new ConnectError(
    status.message,
    status.code as Code,
    headersOfAnswer(response),
  );
  error.details = status.details.map((any) => ({
    type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
    value: any.value,
  }));
  throw error;
}

async function* lines<O extends DescMessage>(
  desc: O,
  response: EdgeResponse,
  reading: RestReading,
): AsyncGenerator<MessageShape<O>> {
  const input = Readable.from(response.body);
  try {
    for await (const line of createInterface({ input })) {
      yield fromJson(desc, JSON.parse(line), reading);
    }
  } catch (error) {
    throw ConnectError.from(error);
  } finally {
    input.destroy();
  }
}

async function textOf(response: EdgeResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function expectType({ status, headers }: EdgeResponse, type: string): void {
  if (headers["content-type"] !== type) {
    throw new Error(`HTTP ${status} as ${String(headers["content-type"])}`);
  }
}

function ruleOf(method: DescMethod) {
  return getOption(method, http);
}

function envelope(method: DescMethod) {
  return {
    service: method.parent,
    header: new Headers(),
    trailer: new Headers(),
  };
}

const registry = createRegistry(file_google_rpc_error_details);

/** The HTTP status of each gRPC code that a service may answer with (google/rpc/code.proto). */
const HTTP_STATUS: Readonly<Record<number, number>> = {
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.Unauthenticated]: 401,
};
