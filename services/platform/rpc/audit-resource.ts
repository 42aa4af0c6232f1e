import type { DescField, DescMethod } from "@bufbuild/protobuf";
import { policyOf } from "./policy.ts";

/** Characters of a resource's name that a record keeps. */
const LONGEST_NAME = 512;
/** Characters of all fields together. */
const LONGEST_FIELDS = 2_048;

/**
 * Whom or what a request is about, as the audit log says it: the value of `name`, or the fields that the method's policy names
 * as `tenant=acme subject=ada`. Of a request that may break every rule, as it is not validated yet: Postgres takes no NUL, a
 * record is kept for long, and no field is so long that another is not seen.
 */
export function resourceOf(method: DescMethod, request: object): string {
  const { auditFields } = policyOf(method);
  if (auditFields.length === 0) return nameOf(request);
  const pairs = method.input.fields
    .filter(({ name }) => auditFields.includes(name))
    .flatMap((field) => pairsOf(field, Reflect.get(request, field.localName)))
    .filter(([, value]) => value !== "");
  const texts = pairs.map(([key, value]) => `${escape(key)}=${escape(value)}`);
  const most = shareOf(texts, LONGEST_FIELDS);
  return texts
    .map((text) => text.slice(0, most))
    .join(" ")
    .slice(0, LONGEST_FIELDS);
}

/** How much of each text goes into so much room, with a space after it: what short ones leave is for the long ones. */
function shareOf(texts: readonly string[], most: number): number {
  let room = most;
  let left = texts.length;
  for (const text of texts.toSorted((a, b) => a.length - b.length)) {
    const share = Math.floor(room / left) - 1;
    if (text.length > share) return Math.max(0, share);
    room -= text.length + 1;
    left -= 1;
  }
  return most;
}

function nameOf(request: object): string {
  const name = "name" in request ? request.name : undefined;
  return typeof name === "string"
    ? name.slice(0, LONGEST_NAME).replaceAll("\0", "\u{fffd}")
    : "";
}

/** A string's one pair, and a map's, in one order whatever the client's was. */
function pairsOf(field: DescField, value: unknown): [string, string][] {
  if (typeof value === "string") return [[field.name, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value)
    .map(([key, text]): [string, string] => [key, String(text)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** So that no value looks like another field. */
function escape(text: string): string {
  return encodeURIComponent(text.slice(0, LONGEST_FIELDS).toWellFormed());
}
