import { DomainError } from "../../platform/runtime/errors.ts";
import type { WorkOrder } from "../domain/work-order.ts";
import { tempDiskFull } from "../engine/job/full-disk.ts";

/**
 * What ended an order, as its caller is meant to see it: what is written outside of the engine lies in the order's folder,
 * and so does an output that waits there to be sent; and this machine's paths are nobody else's business.
 */
export function explainFailure(order: WorkOrder, error: unknown): unknown {
  const isSent = order.kind === "job" && order.output?.kind !== "path";
  const isOfOutput =
    error instanceof DomainError && error.reason === "OUTPUT_SPACE_SHORT";
  const explained =
    tempDiskFull(isSent && isOfOutput ? error.cause : error) ?? error;
  return explained instanceof DomainError
    ? withNames(namesOf(order), explained)
    : explained;
}

/** By the machine's path: what its caller calls it. */
type Names = readonly (readonly [path: string, name: string])[];

function namesOf(order: WorkOrder): Names {
  const places =
    order.kind === "job" ? [...order.inputs, order.output ?? []].flat() : [];
  const paths = places.flatMap((place) =>
    place.kind === "path" ? [[place.path, place.name] as const] : [],
  );
  const all = [...paths, [order.folder, "the job's folder"] as const];
  // The longest first: one may be how another begins.
  return all.toSorted(([a], [b]) => b.length - a.length);
}

function withNames(names: Names, error: DomainError): DomainError {
  const named = (text: string) =>
    names.reduce((all, [path, name]) => all.replaceAll(path, name), text);
  const { code, reason, message, metadata } = error;
  return new DomainError({
    code,
    reason,
    message: named(message),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [key, named(value)]),
    ),
    cause: error,
  });
}
