import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createValidate } from "../../platform/rpc/validate.ts";
import { malformedPayload, unknownEventType } from "../domain/dead-letter.ts";

/** What the contracts say about payloads of events. */
export interface PayloadContracts {
  /** The payload as JSON; undefined where its type is unknown or it is none. */
  toJson(type: string, payload: Uint8Array): string | undefined;
  /**
   * A payload from its JSON. Fields of the old one that the contract does not know, at its top level, are kept.
   *
   * @throws DomainError UNKNOWN_EVENT_TYPE, MALFORMED_EVENT.
   */
  fromJson(type: string, json: string, old: Uint8Array): Uint8Array;
  /**
   * Checks that the bytes are a message of the type that keeps its contract's rules.
   *
   * @throws DomainError UNKNOWN_EVENT_TYPE, MALFORMED_EVENT; ConnectError INVALID_FIELD.
   */
  check(type: string, payload: Uint8Array): void;
}

/** Reads a descriptor set at the first use: most instances never need it. */
export function createPayloadContracts(file: string): PayloadContracts {
  let loaded: FileRegistry | undefined;
  const registry = (): FileRegistry =>
    (loaded ??= createFileRegistry(
      fromBinary(FileDescriptorSetSchema, readFileSync(file)),
    ));
  const validate = createValidate();
  const descOf = (type: string): DescMessage => {
    const desc = registry().getMessage(type);
    if (desc === undefined) throw unknownEventType(type);
    return desc;
  };
  return {
    toJson(type, payload) {
      const desc = registry().getMessage(type);
      if (desc === undefined) return undefined;
      try {
        const message = fromBinary(desc, payload);
        return toJsonString(desc, message, { registry: registry() });
      } catch {
        // That it is none may be why it is here: the bytes are shown instead.
        return undefined;
      }
    },
    fromJson(type, json, old) {
      const desc = descOf(type);
      const message = orMalformed(type, () =>
        fromJsonString(desc, json, { registry: registry() }),
      );
      const unknown = unknownFields(desc, old);
      if (unknown !== undefined) message.$unknown = unknown;
      return toBinary(desc, message);
    },
    check(type, payload) {
      const desc = descOf(type);
      validate(
        desc,
        orMalformed(type, () => fromBinary(desc, payload)),
      );
    },
  };
}

function unknownFields(desc: DescMessage, payload: Uint8Array) {
  try {
    return fromBinary(desc, payload).$unknown;
  } catch {
    // The old payload is no message, which the edit mends.
    return undefined;
  }
}

function orMalformed<T>(type: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw malformedPayload(type, cause);
  }
}
