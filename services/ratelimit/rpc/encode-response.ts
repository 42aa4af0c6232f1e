import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RateLimitResponseSchema } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { asBuffer, encodeMessage } from "../../platform/rpc/grpc-codec.ts";
import type { DescriptorStatus, LimitResponse } from "./write-response.ts";

const { Varint, LengthDelimited } = WireType;

/**
 * Makes an encoder of `envoy.service.ratelimit.v3.RateLimitResponse`, with the bytes that the generated code gives. What lets a
 * request pass, which is almost every answer, is written without making the message first: that took 10 us, a seventh of a
 * decision. All are written into one buffer, for growing a new one each time took 2.6 us more.
 */
export function createEncoder(): (response: LimitResponse) => Buffer {
  const writer = new BinaryWriter();
  return (response) => {
    if (response.rawBody !== undefined)
      return asBuffer(encodeMessage(RateLimitResponseSchema, response));
    try {
      writeFields(writer, response);
    } catch (error) {
      // Or the next answer would begin with what was written of this one.
      writer.finish();
      throw error;
    }
    return asBuffer(writer.finish());
  };
}

function writeFields(writer: BinaryWriter, response: LimitResponse): void {
  writer.tag(1, Varint).int32(response.overallCode);
  for (const status of response.statuses) {
    writer.tag(2, LengthDelimited).fork();
    writeStatus(writer, status);
    writer.join();
  }
  for (const { key, value } of response.responseHeadersToAdd) {
    writer.tag(3, LengthDelimited).fork();
    writeText(writer, 1, key);
    writeText(writer, 2, value);
    writer.join();
  }
}

function writeStatus(writer: BinaryWriter, status: DescriptorStatus): void {
  const { code, currentLimit, limitRemaining = 0, durationUntilReset } = status;
  writer.tag(1, Varint).int32(code);
  if (currentLimit !== undefined) {
    writer.tag(2, LengthDelimited).fork();
    const { requestsPerUnit, unit, name } = currentLimit;
    if (requestsPerUnit !== 0) writer.tag(1, Varint).uint32(requestsPerUnit);
    if (unit !== 0) writer.tag(2, Varint).int32(unit);
    writeText(writer, 3, name);
    writer.join();
  }
  if (limitRemaining !== 0) writer.tag(3, Varint).uint32(limitRemaining);
  if (durationUntilReset !== undefined) {
    writer.tag(4, LengthDelimited).fork();
    const { seconds, nanos } = durationUntilReset;
    if (seconds !== 0n) writer.tag(1, Varint).int64(seconds);
    if (nanos !== 0) writer.tag(2, Varint).int32(nanos);
    writer.join();
  }
}

/** What is empty is not written, as of every field. */
function writeText(writer: BinaryWriter, field: number, text: string): void {
  if (text !== "") writer.tag(field, LengthDelimited).string(text);
}
