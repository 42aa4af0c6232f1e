import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  RateLimitDescriptor_EntrySchema as EntrySchema,
  RateLimitDescriptor_RateLimitOverrideSchema as OverrideSchema,
  RateLimitDescriptorSchema,
} from "../../../gen/ts/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts";
import {
  RateLimitResponseSchema,
  type RateLimitResponse,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import type { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import type { LimiterWorld } from "./limiter-world.ts";

/** A descriptor with all that Envoy 1.40 may say of it. */
export interface EnvoyDescriptor {
  readonly entries: Readonly<Record<string, string>>;
  readonly hits?: number;
  readonly negative?: boolean;
  readonly limit?: {
    readonly requestsPerUnit: number;
    readonly unit: RateLimitUnit;
  };
}

/** Asks as Envoy 1.40 does. The contract that we generate from does not know a descriptor's fields 3 and 4 yet. */
export async function askAsEnvoy(
  world: Pick<LimiterWorld, "send">,
  descriptors: readonly EnvoyDescriptor[],
): Promise<RateLimitResponse> {
  const request = new BinaryWriter();
  request.tag(1, WireType.LengthDelimited).string("test");
  for (const descriptor of descriptors)
    request.tag(2, WireType.LengthDelimited).bytes(bytesOf(descriptor));
  const answer = await world.send("edge", Buffer.from(request.finish()));
  return fromBinary(RateLimitResponseSchema, answer);
}

function bytesOf({ entries, hits, negative, limit }: EnvoyDescriptor) {
  const known = create(RateLimitDescriptorSchema, {
    entries: Object.entries(entries).map(([key, value]) =>
      create(EntrySchema, { key, value }),
    ),
    ...(limit && { limit: create(OverrideSchema, limit) }),
  });
  const writer = new BinaryWriter();
  writer.raw(toBinary(RateLimitDescriptorSchema, known));
  if (hits !== undefined) {
    const value = create(UInt64ValueSchema, { value: BigInt(hits) });
    writer
      .tag(3, WireType.LengthDelimited)
      .bytes(toBinary(UInt64ValueSchema, value));
  }
  if (negative) writer.tag(4, WireType.Varint).bool(true);
  return writer.finish();
}
