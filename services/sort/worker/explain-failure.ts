import { DomainError } from "../../platform/runtime/errors.ts";
import type { WorkOrder } from "../domain/work-order.ts";
import { tempDiskFull } from "../engine/job/full-disk.ts";

/**
 * What ended an order, as its caller is meant to see it: what is written outside of the engine lies in the order's folder,
 * and so does an output that waits there to be sent.
 */
export function explainFailure(order: WorkOrder, error: unknown): unknown {
  const isSent = order.kind === "job" && order.output?.kind !== "path";
  const isOfOutput =
    error instanceof DomainError && error.reason === "OUTPUT_SPACE_SHORT";
  return tempDiskFull(isSent && isOfOutput ? error.cause : error) ?? error;
}
