import { streamsBusy } from "../domain/sort-refusals.ts";

/** How many streams are sorted at a time. */
export interface StreamSlots {
  /** Its disposal frees the slot, once. @throws DomainError STREAMS_BUSY. */
  take(tenant: string): Disposable;
}

/** Slots of all tenants, of which one tenant can't have all where there is more than one. */
export function streamSlots(limits: {
  readonly all: number;
  readonly perTenant: number;
}): StreamSlots {
  const taken = new Map<string, number>();
  let all = 0;
  const add = (tenant: string, change: 1 | -1) => {
    const own = (taken.get(tenant) ?? 0) + change;
    all += change;
    if (own > 0) taken.set(tenant, own);
    else taken.delete(tenant);
  };
  return {
    take(tenant) {
      if ((taken.get(tenant) ?? 0) >= limits.perTenant) {
        throw streamsBusy("your tenant", limits.perTenant);
      }
      if (all >= limits.all) throw streamsBusy("all tenants", limits.all);
      add(tenant, 1);
      let isTaken = true;
      return {
        [Symbol.dispose]() {
          if (isTaken) add(tenant, -1);
          isTaken = false;
        },
      };
    },
  };
}
