import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import { REQUEST_ENTRY, type Descriptor } from "../domain/check.ts";

/** Marks a descriptor that gives the leases of a request back; see the service's README. */
const RELEASE_ENTRY = "release";
const MOST_HITS = 1e9;
/** Envoy sends a handful; a request with more is none of its. */
const MOST_DESCRIPTORS = 32;

/** A request of Envoy's: what to decide, and what is given back. */
export interface LimitRequest {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
  /** The entries of streams that ended. */
  readonly released: readonly ReadonlyMap<string, string>[];
}

interface ReadDescriptor {
  entries: Map<string, string>;
  hits: number | undefined;
  negative: boolean;
  limit: Descriptor["limit"];
}

/**
 * Reads an `envoy.service.ratelimit.v3.RateLimitRequest` from its bytes: making the message that the generated code describes
 * first took 6 us, a tenth of a decision. Fields that are not known are passed over, as protobuf wants it. Without `hits_addend`
 * each descriptor takes 1; its own goes before the request's, and may be 0. Negative hits are given back.
 *
 * @throws Error where the bytes are no such message.
 */
export function decodeRequest(bytes: Uint8Array): LimitRequest {
  const reader = new BinaryReader(bytes);
  const found: ReadDescriptor[] = [];
  let domain = "";
  let hitsOfAll = 0;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited)
      domain = reader.string(true);
    else if (field === 2 && wireType === WireType.LengthDelimited)
      found.push(readDescriptor(reader));
    else if (field === 3 && wireType === WireType.Varint)
      hitsOfAll = reader.uint32();
    else reader.skip(wireType, field);
  }
  if (found.length > MOST_DESCRIPTORS)
    throw new Error(`more than ${MOST_DESCRIPTORS} descriptors`);
  return sortOut(domain, found, hitsOfAll === 0 ? 1 : hitsOfAll);
}

function sortOut(
  domain: string,
  found: readonly ReadDescriptor[],
  hitsOfAll: number,
): LimitRequest {
  const descriptors: Descriptor[] = [];
  const released: Map<string, string>[] = [];
  for (const { entries, hits = hitsOfAll, negative, limit } of found) {
    const most = Math.min(MOST_HITS, hits);
    if (entries.has(RELEASE_ENTRY) && entries.has(REQUEST_ENTRY))
      released.push(entries);
    else descriptors.push({ entries, hits: negative ? 0 - most : most, limit });
  }
  return { domain, descriptors, released };
}

function readDescriptor(reader: BinaryReader): ReadDescriptor {
  const end = endOf(reader);
  const entries = new Map<string, string>();
  let limit: Descriptor["limit"];
  // `hits_addend` (3) and `is_negative_hits` (4): Envoy sends them, the contract of the package that we generate from has not
  // got them yet.
  let hits: number | undefined;
  let negative = false;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 4 && wireType === WireType.Varint) negative = reader.bool();
    else if (wireType !== WireType.LengthDelimited)
      reader.skip(wireType, field);
    else if (field === 1) readEntry(reader, entries);
    else if (field === 2) limit = readLimit(reader);
    else if (field === 3) hits = readHits(reader);
    else reader.skip(wireType, field);
  }
  return { entries, hits, negative, limit };
}

function readEntry(reader: BinaryReader, entries: Map<string, string>): void {
  const end = endOf(reader);
  let key = "";
  let value = "";
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited)
      key = reader.string(true);
    else if (field === 2 && wireType === WireType.LengthDelimited)
      value = reader.string(true);
    else reader.skip(wireType, field);
  }
  if (key === "masked_remote_address")
    entries.set("remote_address", withoutWholeMask(value));
  else entries.set(key, value);
}

/** Envoy calls an address of IPv4 192.0.2.1/32, whom rules and people call 192.0.2.1; of IPv6 it masks all but the network. */
function withoutWholeMask(address: string): string {
  return address.endsWith("/32") ? address.slice(0, -3) : address;
}

/** Envoy has it in an answer's unit, and the package that we generate from nowhere yet. */
const WEEK = 7;

const UNIT_US: Readonly<Partial<Record<number, number>>> = {
  [RateLimitUnit.SECOND]: 1e6,
  [RateLimitUnit.MINUTE]: 60e6,
  [RateLimitUnit.HOUR]: 3_600e6,
  [RateLimitUnit.DAY]: 86_400e6,
  [WEEK]: 7 * 86_400e6,
  [RateLimitUnit.MONTH]: 30 * 86_400e6,
  [RateLimitUnit.YEAR]: 365 * 86_400e6,
};

function readLimit(reader: BinaryReader): Descriptor["limit"] {
  const end = endOf(reader);
  let perUnit = 0;
  let unit = 0;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.Varint) perUnit = reader.uint32();
    else if (field === 2 && wireType === WireType.Varint) unit = reader.int32();
    else reader.skip(wireType, field);
  }
  const periodUs = UNIT_US[unit];
  return periodUs === undefined ? undefined : { limit: perUnit, periodUs };
}

/** A `google.protobuf.UInt64Value`. */
function readHits(reader: BinaryReader): number {
  const end = endOf(reader);
  let hits = 0;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.Varint)
      hits = Number(reader.uint64());
    else reader.skip(wireType, field);
  }
  return hits;
}

/** Where the message ends that begins here. */
function endOf(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new Error("the message ends too early");
  return end;
}
