import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import type { RateLimitDescriptor } from "../../../gen/ts/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts";
import type { RateLimitRequest } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import { REQUEST_ENTRY, type Descriptor } from "../domain/check.ts";

/** Marks a descriptor that gives the leases of a request back; see the service's README. */
const RELEASE_ENTRY = "release";
/** `RateLimitDescriptor.hits_addend`: Envoy sends it, the contract of the package that we generate from has not got it yet. */
const HITS_FIELD = 3;
const MOST_HITS = 1e9;

/** A request of Envoy's: what to decide, and what is given back. */
export interface LimitRequest {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
  /** The entries of streams that ended. */
  readonly released: readonly ReadonlyMap<string, string>[];
}

/** Reads a request. Without `hits_addend` each descriptor takes 1; its own goes before the request's, and may be 0. */
export function readRequest(request: RateLimitRequest): LimitRequest {
  const hits = request.hitsAddend === 0 ? 1 : request.hitsAddend;
  const descriptors: Descriptor[] = [];
  const released: Map<string, string>[] = [];
  for (const descriptor of request.descriptors) {
    const entries = new Map<string, string>();
    for (const { key, value } of descriptor.entries) entries.set(key, value);
    if (entries.has(RELEASE_ENTRY) && entries.has(REQUEST_ENTRY)) {
      released.push(entries);
      continue;
    }
    descriptors.push({
      entries,
      hits: Math.min(MOST_HITS, hitsOf(descriptor) ?? hits),
      limit: limitOf(descriptor),
    });
  }
  return { domain: request.domain, descriptors, released };
}

function hitsOf(descriptor: RateLimitDescriptor): number | undefined {
  const field = descriptor.$unknown?.findLast(
    ({ no, wireType }) =>
      no === HITS_FIELD && wireType === WireType.LengthDelimited,
  );
  if (field === undefined) return undefined;
  const bytes = new BinaryReader(field.data).bytes();
  return Number(fromBinary(UInt64ValueSchema, bytes).value);
}

const UNIT_US: Readonly<Partial<Record<RateLimitUnit, number>>> = {
  [RateLimitUnit.SECOND]: 1e6,
  [RateLimitUnit.MINUTE]: 60e6,
  [RateLimitUnit.HOUR]: 3_600e6,
  [RateLimitUnit.DAY]: 86_400e6,
  [RateLimitUnit.MONTH]: 30 * 86_400e6,
  [RateLimitUnit.YEAR]: 365 * 86_400e6,
};

function limitOf({ limit }: RateLimitDescriptor): Descriptor["limit"] {
  const periodUs = limit && UNIT_US[limit.unit];
  return periodUs === undefined || limit === undefined
    ? undefined
    : { limit: Math.max(1, limit.requestsPerUnit), periodUs };
}
