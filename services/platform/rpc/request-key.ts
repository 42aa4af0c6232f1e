import {
  toBinary,
  type DescMessage,
  type DescMethod,
  type Message,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { createHash } from "node:crypto";
import type { RequestKey } from "../data/idempotency-keys.ts";
import { DomainError } from "../runtime/errors.ts";
import type { Caller } from "./caller.ts";

/** The header that names a request, where its `request_id` does not (draft-ietf-httpapi-idempotency-key-header). */
export const idempotencyKeyHeader = "idempotency-key";

/** A request whose caller may name it (AIP-155). */
export type Nameable = Message & { requestId: string };

/** Whether requests of a method have a `request_id`. */
export function isNameable(method: DescMethod): boolean {
  return method.input.field["requestId"]?.scalar !== undefined;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const visible = /^[\x21-\x7e]{1,255}$/;

/**
 * Takes the header's name of a request over into its `request_id`. A name that is no UUID becomes one: the same name,
 * the same UUID.
 *
 * @throws DomainError IDEMPOTENCY_KEY_INVALID, or IDEMPOTENCY_KEY_CONFLICT where both are given and differ.
 */
export function applyHeaderKey(
  request: Nameable,
  header: string | undefined,
): void {
  if (header === undefined) return;
  if (!visible.test(header)) {
    throw keyRefusal(
      "IDEMPOTENCY_KEY_INVALID",
      "must be 1 to 255 visible ASCII characters",
    );
  }
  const key = uuid.test(header) ? header.toLowerCase() : uuidOf(header);
  if (request.requestId === "") {
    request.requestId = key;
  } else if (request.requestId.toLowerCase() !== key) {
    throw keyRefusal(
      "IDEMPOTENCY_KEY_CONFLICT",
      "names another request than request_id does; send one of them",
    );
  }
}

/**
 * What names a request, and a hash of all that it asks for: who asks, and its bytes but for its name, in the one
 * encoding that protobuf-es makes of a message once the entries of its maps are sorted. Undefined where it has no name.
 */
export function requestKeyOf(
  method: DescMethod,
  request: Nameable,
  caller: Pick<Caller, "tenant" | "subject">,
): RequestKey | undefined {
  const { requestId } = request;
  if (requestId === "") return undefined;
  request.requestId = "";
  const content = canonicalBytes(method.input, request);
  request.requestId = requestId;
  return {
    tenant: caller.tenant,
    operation: `${method.parent.typeName}/${method.name}`,
    key: requestId.toLowerCase(),
    hash: createHash("sha256")
      .update(JSON.stringify(caller.subject))
      .update(content)
      .digest(),
  };
}

function canonicalBytes(desc: DescMessage, message: Message): Uint8Array {
  sortMaps(reflect(desc, message));
  return toBinary(desc, message);
}

/** Puts the entries of every map below a message in the order of their keys: the wire leaves it to the sender. */
function sortMaps(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") {
      sortMaps(message.get(field));
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      // A list of messages has messages in it; the reflection's type does not say so.
      for (const item of message.get(field)) sortMaps(item as ReflectMessage);
    } else if (field.fieldKind === "map") {
      const map = message.get(field);
      const entries = [...map].sort(([a], [b]) =>
        String(a) < String(b) ? -1 : 1,
      );
      map.clear();
      for (const [key, value] of entries) {
        if (field.mapKind === "message") sortMaps(value as ReflectMessage);
        map.set(key, value);
      }
    }
  }
}

/** A UUID of the free-form kind (version 8, RFC 9562). */
function uuidOf(name: string): string {
  const bytes = createHash("sha256").update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function keyRefusal(reason: string, rule: string): DomainError {
  return new DomainError({
    code: "invalid_argument",
    reason,
    message: `the header ${idempotencyKeyHeader} ${rule}`,
    field: "request_id",
  });
}
