import type { JsonSchema } from "./json-schema.ts";

/** The HTTP status of each code of google.rpc.Code, as the transcoder answers (google/rpc/code.proto). */
const statusOf: Readonly<Record<string, number>> = {
  CANCELLED: 499,
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

const meanings: Readonly<Record<number, string>> = {
  400: "The request is malformed, breaks a rule of the contract (`BadRequest` names each field and rule), or does not fit the state of things.",
  401: "There is no token, or no valid one.",
  403: "The token lacks a scope, or this is not the caller's.",
  404: "There is no such thing.",
  408: "The request did not arrive in time.",
  409: "It exists already, or somebody else changed it in the meantime.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  429: "Too many calls. `Retry-After` and `RetryInfo` say when to come back.",
  431: "The headers are too large.",
  499: "The caller went away.",
  500: "A fault of ours. The log knows more, under the trace id.",
  501: "There is no such method.",
  503: "The service does not answer just now.",
  504: "The call took longer than it may.",
};

/** What any method may answer: the edge refuses these before a service sees the call, or answers in its place. */
const common = [400, 401, 403, 408, 429, 431, 500, 503, 504];
const withBody = [413, 415];

/**
 * The error answers of a method: the common ones, and those of the codes that its comment names. A code that a method
 * answers and does not name is a fault of its contract.
 */
export function errorResponses(method: {
  readonly comment: string;
  readonly hasBody: boolean;
}): Record<string, JsonSchema> {
  const named = Object.entries(statusOf)
    .filter(([code]) => new RegExp(`\\b${code}\\b`).test(method.comment))
    .map(([, status]) => status);
  const statuses = new Set([
    ...common,
    ...(method.hasBody ? withBody : []),
    ...named,
  ]);
  return Object.fromEntries(
    [...statuses]
      .toSorted((a, b) => a - b)
      .map((status) => [
        String(status),
        { $ref: `#/components/responses/${status}` },
      ]),
  );
}

/** `components/responses`: one a status, all of one shape. */
export function errorComponents(): Record<string, JsonSchema> {
  const schema = { $ref: "#/components/schemas/google.rpc.Status" };
  return Object.fromEntries(
    Object.entries(meanings).map(([status, description]) => [
      status,
      { description, content: { "application/json": { schema } } },
    ]),
  );
}

/** The one shape of every error (AIP-193). */
export const errorSchema: JsonSchema = {
  type: "object",
  description:
    "An error. `details` holds `google.rpc.ErrorInfo` with a reason of the domain `weft.dev`, and more where it fits.",
  properties: {
    code: {
      type: "integer",
      description: "A number of `google.rpc.Code`.",
      minimum: 1,
      maximum: 16,
    },
    message: { type: "string", description: "For people." },
    details: {
      type: "array",
      items: {
        type: "object",
        properties: { "@type": { type: "string" } },
        required: ["@type"],
      },
    },
  },
  required: ["code", "message"],
  additionalProperties: false,
};
