import { create, type Message } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  ConnectError,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { setTimeout as delay } from "node:timers/promises";
import {
  policyTimeoutSeconds,
  type SuiteContracts,
} from "./suite-contracts.ts";
import type {
  StreamDefinition,
  StreamRequest,
  SuiteError,
  SuiteHeader,
  UnaryDefinition,
  UnaryRequest,
} from "./suite-messages.ts";

/**
 * The suite's ConformanceService: it answers as each request says, and tells what it saw of the request
 * (connectrpc/conformance/v1/service.proto). Unimplemented is left out on purpose.
 */
export function suiteService(
  contracts: SuiteContracts,
): ServiceImpl<SuiteContracts["service"]> {
  const requestInfo = contracts.message("ConformancePayload.RequestInfo");

  const pack = (request: Message) =>
    anyPack(
      contracts.message(request.$typeName.split(".").at(-1) ?? ""),
      request,
    );

  const seenOf = (request: Message) =>
    create(requestInfo, { requests: [pack(request)] });

  const info = (requests: readonly Message[], context: HandlerContext) =>
    create(requestInfo, {
      requestHeaders: headersOf(context),
      ...timeoutOf(context),
      requests: requests.map(pack),
      ...getInfoOf(context),
    });

  const raise = (
    error: SuiteError,
    requests: readonly Message[] | undefined,
    context: HandlerContext,
  ) => {
    const raised = new ConnectError(error.message ?? "", error.code);
    raised.details = error.details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
      value,
    }));
    if (requests) {
      raised.details.push({
        desc: requestInfo,
        value: info(requests, context),
      });
    }
    return raised;
  };

  const answer = async (
    definition: UnaryDefinition | undefined,
    requests: readonly Message[],
    context: HandlerContext,
  ) => {
    append(context.responseHeader, definition?.responseHeaders);
    append(context.responseTrailer, definition?.responseTrailers);
    await delay(definition?.responseDelayMs ?? 0);
    if (definition?.response.case === "error") {
      throw raise(definition.response.value, requests, context);
    }
    const data =
      definition?.response.case === "responseData"
        ? { data: definition.response.value }
        : {};
    return { payload: { requestInfo: info(requests, context), ...data } };
  };

  /** Answers after all requests: what was seen of them goes with the first answer, or with the error in its place. */
  async function* answers(
    definition: StreamDefinition | undefined,
    requests: readonly Message[],
    context: HandlerContext,
  ) {
    begin(definition, context);
    for (const [index, data] of (definition?.responseData ?? []).entries()) {
      await delay(definition?.responseDelayMs ?? 0);
      const seen = index === 0 ? { requestInfo: info(requests, context) } : {};
      yield { payload: { data, ...seen } };
    }
    if (definition?.error) {
      const isFirst = definition.responseData.length === 0;
      throw raise(definition.error, isFirst ? requests : undefined, context);
    }
  }

  const implementation = {
    unary: (request: UnaryRequest, context: HandlerContext) =>
      answer(request.responseDefinition, [request], context),
    idempotentUnary: (request: UnaryRequest, context: HandlerContext) =>
      answer(request.responseDefinition, [request], context),
    serverStream: (request: StreamRequest, context: HandlerContext) =>
      answers(request.responseDefinition, [request], context),
    async clientStream(
      requests: AsyncIterable<UnaryRequest>,
      context: HandlerContext,
    ) {
      const all = await Array.fromAsync(requests);
      return answer(all[0]?.responseDefinition, all, context);
    },
    async *bidiStream(
      requests: AsyncIterable<StreamRequest>,
      context: HandlerContext,
    ) {
      const seen: StreamRequest[] = [];
      let sent = 0;
      let definition: StreamDefinition | undefined;
      let fullDuplex = false;
      for await (const request of requests) {
        if (seen.length === 0) {
          definition = request.responseDefinition;
          fullDuplex = request.fullDuplex ?? false;
          if (fullDuplex) begin(definition, context);
        }
        seen.push(request);
        if (!fullDuplex) continue;
        const data = definition?.responseData[sent];
        if (data === undefined) break;
        await delay(definition?.responseDelayMs ?? 0);
        const requestInfo =
          sent === 0 ? info([request], context) : seenOf(request);
        yield { payload: { data, requestInfo } };
        sent += 1;
      }
      if (!fullDuplex) {
        yield* answers(definition, seen, context);
        return;
      }
      for (const data of definition?.responseData.slice(sent) ?? []) {
        await delay(definition?.responseDelayMs ?? 0);
        yield { payload: { data } };
        sent += 1;
      }
      if (definition?.error) {
        throw raise(definition.error, sent === 0 ? seen : undefined, context);
      }
    },
  };
  // The service's descriptor is read at run time, so its implementation has no type to be checked against.
  return implementation as unknown as ServiceImpl<SuiteContracts["service"]>;
}

function begin(
  definition: StreamDefinition | undefined,
  context: HandlerContext,
): void {
  append(context.responseHeader, definition?.responseHeaders);
  append(context.responseTrailer, definition?.responseTrailers);
}

function append(to: Headers, headers: readonly SuiteHeader[] = []): void {
  for (const { name, value } of headers) {
    for (const each of value) to.append(name, each);
  }
}

function headersOf(context: HandlerContext): SuiteHeader[] {
  return [...context.requestHeader].map(([name, value]) => ({
    name,
    value: [value],
  }));
}

/** What the client allows; where it says nothing, the policy's timeout is what is left. */
function timeoutOf(context: HandlerContext): { timeoutMs?: bigint } {
  const left = context.timeoutMs();
  return left === undefined || left > (policyTimeoutSeconds - 60) * 1000
    ? {}
    : { timeoutMs: BigInt(Math.round(left)) };
}

function getInfoOf({ requestMethod, url }: HandlerContext): object {
  if (requestMethod !== "GET") return {};
  const queryParams = [...new URL(url, "http://weft").searchParams].map(
    ([name, value]) => ({ name, value: [value] }),
  );
  return { connectGetInfo: { queryParams } };
}
