import type { ServiceImpl } from "@connectrpc/connect";
import type { SortStreamRequest } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import type { SortService } from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { untilIdle } from "../app/idle-streams.ts";
import * as app from "../app/sort-stream.ts";
import { specInvalid, streamOutOfOrder } from "../domain/sort-refusals.ts";
import { resultToProto } from "./job-to-proto.ts";
import { modeOf, orderFromProto } from "./order-from-proto.ts";
import { inputCompression, outputCompression } from "./plan-from-proto.ts";

export function sortStream(
  deps: app.SortStreamDeps,
): ServiceImpl<typeof SortService>["sortStream"] {
  return async function* (requests, context) {
    const messages = untilIdle(requests, deps.streamIdleMs);
    const { value: first } = await messages.next();
    const { tenant } = callerOf(context);
    const order = streamOrder(tenant, first || undefined);
    const sorted = app.sortStream(
      deps,
      order,
      chunksOf(messages),
      context.signal,
    );
    for await (const piece of sorted) {
      yield piece.kind === "chunk"
        ? { message: { case: "chunk", value: Uint8Array.from(piece.bytes) } }
        : { message: { case: "summary", value: resultToProto(piece.result) } };
    }
  };
}

function streamOrder(
  tenant: string,
  first: SortStreamRequest | undefined,
): app.StreamOrder {
  if (first?.message.case !== "options") {
    throw streamOutOfOrder("the first message has to be the options");
  }
  const { spec, ...compressions } = first.message.value;
  if (modeOf(spec) !== "sort") {
    throw specInvalid("options.spec.mode", "streams can only be sorted");
  }
  return {
    tenant,
    order: orderFromProto(spec),
    inputCompression: inputCompression(compressions.inputCompression),
    outputCompression: outputCompression(compressions.outputCompression),
  };
}

async function* chunksOf(
  messages: AsyncIterable<SortStreamRequest>,
): AsyncGenerator<Uint8Array> {
  for await (const { message } of messages) {
    if (message.case !== "chunk") {
      throw streamOutOfOrder("after the options there are only chunks");
    }
    yield message.value;
  }
}
