import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import type { Crash } from "./crash-points.ts";

/** What the services of a fault run are told while they run, and at their start; `preload.ts` obeys. */
export interface Orders {
  readonly id: number;
  /** Where a service is to kill itself, once. */
  readonly crash?: Crash | undefined;
  /** By service, how far its clock is off, in milliseconds. */
  readonly clocks: Readonly<Record<string, number>>;
  /** By port that is connected to, the port to go by instead. */
  readonly ports: Readonly<Record<string, number>>;
}

/** The environment variable that names the folder of the orders; without it the preload does nothing. */
export const CONTROL_VARIABLE = "WEFT_FAULT_CONTROL";

export const NO_ORDERS: Orders = { id: 0, clocks: {}, ports: {} };

/** The runner's end. */
export interface Control {
  /** Tells all services; resolves when those that are named have heard. */
  tell(
    change: Partial<Omit<Orders, "id">>,
    services: readonly string[],
  ): Promise<void>;
  /** Tells a service that its clock is off, and does not wait until it has heard. */
  setClock(service: string, offsetMs: number): Promise<void>;
  /** Whether the crash that was told of last has happened. */
  hasCrashed(): boolean;
  /** How a service was started: for another instance of it. */
  environmentOf(service: string): Record<string, string>;
}

export async function createControl(directory: string): Promise<Control> {
  await mkdir(directory, { recursive: true });
  let orders = NO_ORDERS;
  const give = async (change: Partial<Orders>): Promise<number> => {
    orders = { ...orders, ...change, id: orders.id + 1 };
    const { id } = orders;
    const file = join(directory, "orders.json");
    await writeFile(`${file}.${id}`, JSON.stringify(orders));
    await rename(`${file}.${id}`, file);
    return id;
  };
  return {
    async tell(change, services) {
      const id = await give(change);
      await eventually(`${services.join(", ")} have heard`, () =>
        services.every((service) => heard(directory, service) >= id),
      );
    },
    async setClock(service, offsetMs) {
      await give({ clocks: { ...orders.clocks, [service]: offsetMs } });
    },
    hasCrashed: () => existsSync(crashFile(directory, orders.id)),
    environmentOf(service) {
      const text = readFileSync(join(directory, `${service}.env`), "utf8");
      // The preload wrote it, from its own environment.
      return JSON.parse(text) as Record<string, string>;
    },
  };
}

/** The service's end: what it is told at the moment. */
export function readOrders(directory: string): Orders {
  try {
    const text = readFileSync(join(directory, "orders.json"), "utf8");
    // The runner wrote it.
    return JSON.parse(text) as Orders;
  } catch {
    return NO_ORDERS;
  }
}

export function hear(directory: string, service: string, id: number): void {
  writeFileSync(join(directory, `${service}.heard`), String(id));
}

export function introduce(directory: string, service: string): void {
  const environment = JSON.stringify(process.env);
  writeFileSync(join(directory, `${service}.env`), environment, {
    mode: 0o600,
  });
}

/** True for the first that asks: a point is for one process. */
export function claimCrash(directory: string, id: number): boolean {
  try {
    writeFileSync(crashFile(directory, id), "", { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}

function heard(directory: string, service: string): number {
  try {
    const file = join(directory, `${service}.heard`);
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

function crashFile(directory: string, id: number): string {
  return join(directory, `crash-${id}`);
}
