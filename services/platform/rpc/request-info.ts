import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { RequestInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { requestId } from "../runtime/request-id.ts";

/**
 * The same error with `google.rpc.RequestInfo`, so that whoever meets it can quote what the logs know it by. An error of its
 * own, as one that ends many calls is shared by them.
 */
export function withRequestInfo(error: ConnectError): ConnectError {
  const id = requestId();
  if (id === undefined) return error;
  const { rawMessage, code, metadata, cause } = error;
  const told = new ConnectError(rawMessage, code, metadata, undefined, cause);
  const value = create(RequestInfoSchema, { requestId: id });
  told.details = [...error.details, { desc: RequestInfoSchema, value }];
  return told;
}
