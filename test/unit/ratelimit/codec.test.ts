import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  RateLimitRequestSchema,
  RateLimitResponseSchema,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import { decodeRequest } from "../../../services/ratelimit/rpc/decode-request.ts";
import { createEncoder } from "../../../services/ratelimit/rpc/encode-response.ts";
import type { LimitResponse } from "../../../services/ratelimit/rpc/write-response.ts";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const text = fc.string({ unit: "binary", maxLength: 300 });
const descriptor = fc.record({
  entries: fc.uniqueArray(fc.record({ key: text, value: text }), {
    selector: ({ key }) => key,
    maxLength: 6,
  }),
});

test("a request is read as the generated code wrote it", () => {
  fc.assert(
    fc.property(
      text,
      fc.array(descriptor, { maxLength: 8 }),
      uint32,
      (domain, descriptors, hitsAddend) => {
        const bytes = toBinary(
          RateLimitRequestSchema,
          create(RateLimitRequestSchema, { domain, descriptors, hitsAddend }),
        );

        const request = decodeRequest(bytes);

        expect(request).toEqual({
          domain,
          descriptors: descriptors.map(({ entries }) => ({
            entries: new Map(entries.map(({ key, value }) => [key, value])),
            hits: Math.min(1e9, hitsAddend || 1),
            limit: undefined,
          })),
          released: [],
        });
      },
    ),
  );
});

test.each([
  ["192.0.2.1/32", "192.0.2.1"],
  ["2001:db8::/64", "2001:db8::/64"],
])("the address that Envoy calls %s is %s in rules", (masked, address) => {
  const entries = [{ key: "masked_remote_address", value: masked }];
  const bytes = toBinary(
    RateLimitRequestSchema,
    create(RateLimitRequestSchema, { descriptors: [{ entries }] }),
  );

  const { descriptors } = decodeRequest(bytes);

  expect(descriptors[0]?.entries).toEqual(
    new Map([["remote_address", address]]),
  );
});

test("bytes that the generated code refuses are refused, and no others", () => {
  const request = {
    domain: "edge",
    descriptors: [{ entries: [{ key: "tenant", value: "acme" }] }],
    hitsAddend: 300,
  };
  const whole = toBinary(
    RateLimitRequestSchema,
    create(RateLimitRequestSchema, request),
  );
  for (let length = 0; length <= whole.length; length += 1) {
    const part = whole.subarray(0, length);
    expect(refuses(() => decodeRequest(part))).toBe(
      refuses(() => fromBinary(RateLimitRequestSchema, part)),
    );
  }
});

const response: fc.Arbitrary<LimitResponse> = fc.record({
  overallCode: fc.constantFrom(1 as const, 2 as const),
  statuses: fc.array(
    fc.record(
      {
        code: fc.constantFrom(1 as const, 2 as const),
        currentLimit: fc.record({
          name: text,
          requestsPerUnit: uint32,
          unit: fc.constantFrom(0, 1, 2, 3, 4),
        }),
        limitRemaining: uint32,
        durationUntilReset: fc.record({
          seconds: fc.bigInt({ min: 0n, max: 2n ** 40n }),
          nanos: fc.integer({ min: 0, max: 999_999_999 }),
        }),
      },
      { requiredKeys: ["code"] },
    ),
    { maxLength: 5 },
  ),
  responseHeadersToAdd: fc.array(fc.record({ key: text, value: text }), {
    maxLength: 6,
  }),
});

test("an answer has the bytes that the generated code gives it", () => {
  const encodeResponse = createEncoder();

  fc.assert(
    fc.property(response, (answer) => {
      const expected = toBinary(
        RateLimitResponseSchema,
        create(RateLimitResponseSchema, answer),
      );

      expect(encodeResponse(answer).equals(expected)).toBe(true);
    }),
  );
});

test("an answer that can't be written leaves nothing in the next", () => {
  const encodeResponse = createEncoder();
  const answer: LimitResponse = {
    overallCode: 1,
    statuses: [{ code: 1, limitRemaining: 7 }],
    responseHeadersToAdd: [],
  };
  const before = encodeResponse(answer);
  const impossible = {
    ...answer,
    statuses: [{ code: 1 as const, limitRemaining: -1 }],
  };

  expect(() => encodeResponse(impossible)).toThrow();

  expect(encodeResponse(answer)).toEqual(before);
});

function refuses(read: () => unknown): boolean {
  try {
    read();
    return false;
  } catch {
    return true;
  }
}
