import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";

/** What an error tells a client, whichever protocol carried it. */
export interface Refusal {
  readonly code: keyof typeof Code;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields that BadRequest names. */
  readonly fields: readonly string[];
}

/** The refusal of a call; fails where the call succeeds, or fails with no RPC error. */
export async function refusalOf(call: PromiseLike<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ConnectError) return describe(error);
    throw error;
  }
  throw new Error("the call was not refused");
}

function describe(error: ConnectError): Refusal {
  const [info] = error.findDetails(ErrorInfoSchema);
  return {
    // The name of a number of the enum.
    code: Code[error.code] as keyof typeof Code,
    reason: info?.reason,
    domain: info?.domain,
    metadata: { ...info?.metadata },
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap(({ fieldViolations }) => fieldViolations.map((v) => v.field)),
  };
}
