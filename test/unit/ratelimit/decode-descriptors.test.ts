import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RateLimitDescriptorSchema } from "../../../gen/ts/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts";
import { RateLimitRequestSchema } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { RateLimitUnit } from "../../../gen/ts/envoy/type/v3/ratelimit_unit_pb.ts";
import { decodeRequest } from "../../../services/ratelimit/rpc/decode-request.ts";

const DAY_US = 86_400e6;
/** As the response's unit has it: the generated code writes what it has no name for. */
const WEEK = 7 as RateLimitUnit;
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test.each([
  [RateLimitUnit.SECOND, 1e6],
  [RateLimitUnit.MINUTE, 60e6],
  [RateLimitUnit.HOUR, 3_600e6],
  [RateLimitUnit.DAY, DAY_US],
  [RateLimitUnit.MONTH, 30 * DAY_US],
  [RateLimitUnit.YEAR, 365 * DAY_US],
  [WEEK, 7 * DAY_US],
])("a descriptor's own limit is read with unit %i", (unit, periodUs) => {
  fc.assert(
    fc.property(uint32, (requestsPerUnit) => {
      const limit = { requestsPerUnit, unit };

      expect(decode([descriptor({ limit })])).toMatchObject({
        descriptors: [{ limit: { limit: requestsPerUnit, periodUs } }],
      });
    }),
  );
});

test.each([
  ["no unit", RateLimitUnit.UNKNOWN],
  // As a newer Envoy may send it: the generated code writes what it has no name for.
  ["a unit of no contract", 99 as RateLimitUnit],
])("a descriptor's own limit counts for nothing with %s", (_, unit) => {
  const limit = { requestsPerUnit: 5, unit };

  expect(decode([descriptor({ limit })]).descriptors).toEqual([
    { entries: new Map([["tenant", "acme"]]), hits: 1, limit: undefined },
  ]);
});

test("a descriptor's own hits go before the request's, 0 among them", () => {
  const ownHits = fc.option(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }));
  fc.assert(
    fc.property(
      uint32,
      fc.array(ownHits, { maxLength: 8 }),
      (hitsAddend, own) => {
        const { descriptors } = decode(
          own.map((hits) => descriptor({ hits })),
          hitsAddend,
        );

        expect(descriptors.map(({ hits }) => hits)).toEqual(
          own.map((hits) =>
            Math.min(1e9, hits === null ? hitsAddend || 1 : Number(hits)),
          ),
        );
      },
    ),
  );
});

test("negative hits are the request's or a descriptor's own with the sign that they have", () => {
  const ownHits = fc.option(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }));
  fc.assert(
    fc.property(uint32, ownHits, (hitsAddend, hits) => {
      const { descriptors } = decode(
        [descriptor({ hits, negative: true }), descriptor({ hits })],
        hitsAddend,
      );

      const [given, taken] = descriptors.map((one) => one.hits);
      expect(given).toBe(0 - (taken ?? NaN));
    }),
  );
});

test("what a request gives back is told apart from what it asks for", () => {
  const ended = { tenant: "acme", release: "true", request_id: "r-1" };
  const begun = { tenant: "acme", request_id: "r-2" };
  // Nothing says whose lease it would be.
  const nobodys = { tenant: "acme", release: "true" };

  const request = decode(
    [ended, begun, nobodys].map((entries) => descriptor({ entries })),
  );

  expect(request.released).toEqual([new Map(Object.entries(ended))]);
  expect(request.descriptors.map(({ entries }) => entries)).toEqual(
    [begun, nobodys].map((entries) => new Map(Object.entries(entries))),
  );
});

type DescriptorInit = MessageInitShape<typeof RateLimitDescriptorSchema>;

function decode(descriptors: DescriptorInit[], hitsAddend = 0) {
  const request = { domain: "edge", descriptors, hitsAddend };
  return decodeRequest(
    toBinary(RateLimitRequestSchema, create(RateLimitRequestSchema, request)),
  );
}

function descriptor({
  entries = { tenant: "acme" },
  hits = null,
  negative = false,
  limit,
}: {
  readonly entries?: Readonly<Record<string, string>>;
  readonly hits?: bigint | null;
  readonly negative?: boolean;
  readonly limit?: DescriptorInit["limit"];
}): DescriptorInit {
  const message = create(RateLimitDescriptorSchema, {
    entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
    ...(limit && { limit }),
  });
  message.$unknown = [
    ...(hits === null ? [] : [hitsAddendOf(hits)]),
    ...(negative ? [IS_NEGATIVE_HITS] : []),
  ];
  return message;
}

/** Envoy's field 4 of a descriptor, which the generated code does not know either. */
const IS_NEGATIVE_HITS = {
  no: 4,
  wireType: WireType.Varint,
  data: new BinaryWriter().bool(true).finish(),
};

/** Envoy's field 3 of a descriptor, which the generated code does not know. */
function hitsAddendOf(value: bigint) {
  const hits = toBinary(
    UInt64ValueSchema,
    create(UInt64ValueSchema, { value }),
  );
  const data = new BinaryWriter().bytes(hits).finish();
  return { no: 3, wireType: WireType.LengthDelimited, data };
}
