import {
  fromBinary,
  getExtension,
  hasExtension,
  setExtension,
  toBinary,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  type FileDescriptorSet,
  type MethodOptions,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import { StreamErrorSchema } from "../../gen/ts/weft/rest/v1/stream_error_pb.ts";
import type { HttpRule } from "../../gen/ts/google/api/http_pb.ts";

/**
 * The contracts as Envoy's transcoder takes them: without `response_body`, which it refuses for anything but HttpBody
 * ("not supported yet", Envoy 1.40). `unwrapResponse` does that part. And with the field of `weft.rest.v1.StreamError` in every
 * message that is streamed, for a line of JSON is all that can tell of a failure in mid-stream.
 */
export function transcoderDescriptors(descriptorSet: Uint8Array): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  for (const name of streamedOverRest(set)) addStreamError(set, name);
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

/** The messages that REST streams, by full name with a dot before it, as descriptors refer to them. */
function streamedOverRest(set: FileDescriptorSet): Set<string> {
  const streamed = set.file
    .flatMap(({ service }) => service.flatMap(({ method }) => method))
    .filter(({ serverStreaming }) => serverStreaming)
    .filter(({ options }) => options && hasExtension(options, http));
  return new Set(streamed.map(({ outputType }) => outputType));
}

function addStreamError(set: FileDescriptorSet, name: string): void {
  const [error] = StreamErrorSchema.proto.field;
  const file = set.file.find(
    (each) =>
      name.startsWith(`.${each.package}.`) &&
      each.messageType.some(
        (message) => `.${each.package}.${message.name}` === name,
      ),
  );
  const message = file?.messageType.find(
    (each) => `.${file.package}.${each.name}` === name,
  );
  if (error === undefined || file === undefined || message === undefined) {
    throw new Error(`the descriptor set has no message ${name}`);
  }
  message.field.push(error);
  const needed = "google/rpc/status.proto";
  if (!file.dependency.includes(needed)) file.dependency.push(needed);
}
