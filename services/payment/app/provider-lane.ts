import { createLane } from "../../platform/data/lane.ts";

/** What the provider is asked for by events, so much at a time, and so much that waits. */
export interface ProviderLane {
  /** Does the work, which tells of its failures itself, when its turn comes. False, and it is not done, where too much waits. */
  take(work: () => Promise<void>): boolean;
}

export function createProviderLane(options: {
  readonly width: number;
  readonly maxWaiting: number;
}): ProviderLane {
  const lane = createLane(options.width);
  const limit = options.width + options.maxWaiting;
  let held = 0;
  return {
    take(work) {
      if (held >= limit) return false;
      held += 1;
      void lane(work).finally(() => (held -= 1));
      return true;
    },
  };
}
