import { create, createFileRegistry, setExtension } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import {
  file_weft_order_v1_order_service,
  type GetOrderRequestSchema,
  type GetOrderResponseSchema,
} from "../../gen/ts/weft/order/v1/order_service_pb.ts";
import {
  Access,
  method as methodPolicy,
  MethodPolicySchema,
} from "../../gen/ts/weft/policy/v1/policy_pb.ts";

type Messages = {
  input: typeof GetOrderRequestSchema;
  output: typeof GetOrderResponseSchema;
};

/** A service with streams of clients, made of the order contract's messages: its requests have a rule for `name`. */
export type StreamService = GenService<{
  collect: { methodKind: "client_streaming" } & Messages;
  converse: { methodKind: "bidi_streaming" } & Messages;
}>;

/** Makes the contract, with this timeout of its methods. */
export function streamContract(timeoutSeconds = 30): StreamService {
  const file = create(FileDescriptorProtoSchema, {
    name: "weft/test/v1/streams.proto",
    package: "weft.test.v1",
    syntax: "proto3",
    dependency: [file_weft_order_v1_order_service.proto.name],
    service: [
      {
        name: "StreamService",
        method: [
          method("Collect", false, timeoutSeconds),
          method("Converse", true, timeoutSeconds),
        ],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    name === file_weft_order_v1_order_service.proto.name
      ? file_weft_order_v1_order_service
      : undefined,
  );
  const service = registry.getService("weft.test.v1.StreamService");
  if (!service) throw new Error("the contract has its service");
  // The descriptor above says the same as the type.
  return service as StreamService;
}

function method(name: string, answersMany: boolean, seconds: number) {
  const options = create(MethodOptionsSchema, {
    idempotencyLevel: Idempotency.NO_SIDE_EFFECTS,
  });
  const policy = create(MethodPolicySchema, {
    access: Access.USER,
    scopes: ["orders:read"],
    callers: ["inventory"],
    rateClass: "test",
    timeout: { seconds: BigInt(seconds) },
  });
  setExtension(options, methodPolicy, policy);
  return create(MethodDescriptorProtoSchema, {
    name,
    inputType: ".weft.order.v1.GetOrderRequest",
    outputType: ".weft.order.v1.GetOrderResponse",
    clientStreaming: true,
    serverStreaming: answersMany,
    options,
  });
}
