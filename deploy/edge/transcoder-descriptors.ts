import {
  fromBinary,
  getExtension,
  hasExtension,
  setExtension,
  toBinary,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  type MethodOptions,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/ts/google/api/http_pb.ts";

/**
 * The contracts as Envoy's transcoder takes them: without `response_body`, which it refuses for anything but HttpBody
 * ("not supported yet", Envoy 1.40). `unwrapResponse` does that part.
 */
export function transcoderDescriptors(descriptorSet: Uint8Array): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  for (const file of set.file) {
    for (const service of file.service) {
      for (const { options } of service.method) {
        if (options !== undefined) clearResponseBody(options);
      }
    }
  }
  return toBinary(FileDescriptorSetSchema, set);
}

function clearResponseBody(options: MethodOptions): void {
  if (!hasExtension(options, http)) return;
  const rule = getExtension(options, http);
  setExtension(options, http, withoutResponseBody(rule));
}

function withoutResponseBody(rule: HttpRule): HttpRule {
  const additionalBindings = rule.additionalBindings.map(withoutResponseBody);
  return { ...rule, responseBody: "", additionalBindings };
}
