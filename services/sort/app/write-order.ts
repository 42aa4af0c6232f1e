import { join } from "node:path";
import type { SortJob } from "../domain/sort-job.ts";
import {
  nameOfInput,
  type PlannedInput,
  type PlannedOutput,
} from "../domain/sort-plan.ts";
import type {
  OrderedInput,
  OrderedOutput,
  WorkOrder,
} from "../domain/work-order.ts";
import { readPath, writePath, type Places } from "./places.ts";

/** What one job, or stream, may take of the machine: all have the same share. */
export interface Share {
  readonly memoryBytes: number;
  readonly tempBytes: number | undefined;
  readonly workers: number;
}

export interface WriteOrderDeps {
  readonly places: Places;
  readonly share: Share;
  readonly tempFolder: string;
}

/** The folder of a job's runs. */
export function jobFolder(tempFolder: string, id: string): string {
  return join(tempFolder, "jobs", id);
}

/**
 * What the process of a job is told to do: paths are looked at now, links followed.
 *
 * @throws DomainError INPUT_FORBIDDEN or OUTPUT_FORBIDDEN.
 */
export async function writeOrder(
  { places, share, tempFolder }: WriteOrderDeps,
  { id, tenant, plan }: SortJob,
): Promise<WorkOrder> {
  const inputs = plan.inputs.map((input, index) =>
    orderInput(places, tenant, input, `job.inputs[${index}]`),
  );
  return {
    kind: "job",
    mode: plan.mode,
    order: plan.order,
    folder: jobFolder(tempFolder, id),
    ...share,
    memoryBytes: Math.min(share.memoryBytes, plan.memoryBytes ?? Infinity),
    inputs: await Promise.all(inputs),
    output: plan.output && (await orderOutput(places, tenant, plan.output)),
  };
}

async function orderInput(
  places: Places,
  tenant: string,
  input: PlannedInput,
  field: string,
): Promise<OrderedInput> {
  const { compression } = input;
  const name = nameOfInput(input);
  if (input.kind !== "path") {
    return { kind: "remote", name, compression };
  }
  const path = await readPath(places, field, { tenant, ...input });
  return { kind: "path", name, path, compression };
}

async function orderOutput(
  places: Places,
  tenant: string,
  output: PlannedOutput,
): Promise<OrderedOutput> {
  const { kind, compression } = output;
  if (output.kind === "path") {
    const path = await writePath(places, { tenant, ...output });
    const name = `${output.folder}/${output.path}`;
    return { kind: "path", name, path, compression };
  }
  // The kind is one of the two that are left.
  return { kind: kind as "url" | "new-file", compression };
}
