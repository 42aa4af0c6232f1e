import {
  fromBinary,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type DescMessage,
} from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { methodDefinition } from "./grpc-mount.ts";
import { asBuffer, encodeMessage } from "./grpc-codec.ts";

/**
 * A service as grpc-js takes it, with messages instead of bytes: for gRPC's own services, which stand beside the platform's
 * middleware. The packages `grpc-health-check` and `@grpc/reflection` read their contracts with protobufjs when they are
 * imported, which takes 9 MB of every process and more with each contract.
 */
export function plainDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, plainMethod(method)]),
  );
}

function plainMethod(
  method: DescMethod,
): MethodDefinition<
  MessageInitShape<DescMessage>,
  MessageInitShape<DescMessage>
> {
  const write =
    (desc: DescMessage) => (message: MessageInitShape<DescMessage>) =>
      asBuffer(encodeMessage(desc, message));
  return {
    ...methodDefinition(method),
    requestSerialize: write(method.input),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: write(method.output),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}
