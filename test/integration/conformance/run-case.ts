import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  ConnectError,
  createClient,
  type CallOptions,
} from "@connectrpc/connect";
import type { Client } from "@grpc/grpc-js";
import { caseInput, type CaseInput } from "./case-input.ts";
import type { SuiteContracts } from "./suite-contracts.ts";
import type {
  ClientCompatRequest,
  SuiteHeader,
  SuitePayload,
} from "./suite-messages.ts";
import { wireTransport } from "./wire-transport.ts";

/** What came of a call, as the suite's ClientResponseResult has it. */
export interface CaseResult {
  responseHeaders: SuiteHeader[];
  payloads: SuitePayload[];
  error?: { code: number; message: string; details: Partial<Any>[] };
  responseTrailers: SuiteHeader[];
  numUnsentRequests: number;
}

/** Makes the call that a case describes, by a Connect client on the wire part of the mesh's transport. */
export async function runCase(
  contracts: SuiteContracts,
  wire: Client,
  request: ClientCompatRequest,
): Promise<CaseResult> {
  const method = contracts.service.methods.find(
    ({ name }) => name === request.method,
  );
  if (!method) throw new Error(`there is no method ${request.method}`);
  const cancelling = new AbortController();
  const result: CaseResult = {
    responseHeaders: [],
    payloads: [],
    responseTrailers: [],
    numUnsentRequests: 0,
  };
  const input = caseInput(contracts, request, cancelling);
  const options: CallOptions = {
    headers: toHeaders(request.requestHeaders),
    signal: cancelling.signal,
    ...(request.timeoutMs === undefined
      ? {}
      : { timeoutMs: request.timeoutMs }),
    onHeader: (headers) => (result.responseHeaders = listHeaders(headers)),
    onTrailer: (trailers) => (result.responseTrailers = listHeaders(trailers)),
  };
  // Made of descriptors that are read at run time, so the client has no types.
  const client = createClient(
    contracts.service,
    wireTransport(wire),
  ) as unknown as Record<string, AnyCall>;
  try {
    await call(client, method, input, options, (response) => {
      result.payloads.push(payloadOf(response));
      input.answered(result.payloads.length);
    });
  } catch (error) {
    const failure = ConnectError.from(error);
    result.error = toSuiteError(failure);
    if (failure.isWireError && result.responseHeaders.length === 0) {
      // An error's metadata holds both, in no order that would tell them apart.
      result.responseHeaders = listHeaders(failure.metadata);
    }
    if (failure.isWireError && result.responseTrailers.length === 0) {
      result.responseTrailers = listHeaders(failure.metadata);
    }
  }
  result.numUnsentRequests = input.unsent();
  return result;
}

type AnyCall = (
  input: Message | AsyncIterable<Message>,
  options: CallOptions,
) => Promise<Message> | AsyncIterable<Message>;

async function call(
  client: Record<string, AnyCall>,
  { localName, methodKind }: DescMethod,
  input: CaseInput,
  options: CallOptions,
  take: (response: Message) => void,
): Promise<void> {
  const takesOne = methodKind === "unary" || methodKind === "server_streaming";
  const request = takesOne ? await input.only() : input.all();
  const answer = client[localName]?.(request, options);
  if (methodKind === "unary" || methodKind === "client_streaming") {
    take(await (answer as Promise<Message>));
  } else {
    for await (const response of answer as AsyncIterable<Message>) {
      take(response);
    }
  }
}

function toHeaders(stated: readonly SuiteHeader[]): Headers {
  const headers = new Headers();
  for (const { name, value } of stated) {
    for (const each of value) headers.append(name, each);
  }
  return headers;
}

function payloadOf(message: Message): SuitePayload {
  // Every answer of the service has this one field.
  return (message as Message & { payload: SuitePayload }).payload;
}

function listHeaders(headers: Headers): SuiteHeader[] {
  return [...headers].map(([name, value]) => ({
    name,
    value: value.split(/,\s*/),
  }));
}

/** An error that the server sent has its details; one that is made here, of a cancellation, says more than the suite knows. */
function toSuiteError(error: ConnectError) {
  const received = error.isWireError ? error.details : [];
  return {
    code: error.code,
    message: error.rawMessage,
    details: received.flatMap((detail) =>
      "desc" in detail
        ? []
        : [
            {
              typeUrl: `type.googleapis.com/${detail.type}`,
              value: detail.value,
            },
          ],
    ),
  };
}
