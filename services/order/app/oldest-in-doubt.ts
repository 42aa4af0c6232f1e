import type { Logger } from "../../platform/runtime/logger.ts";
import type { InDoubtClient } from "../clients/in-doubt.ts";

export interface OldestInDoubtDeps {
  readonly participants: readonly InDoubtClient[];
  readonly logger: Logger;
  readonly now: () => Date;
}

export interface OldestInDoubt {
  /** Asks every participant. */
  look(): Promise<void>;
  /** How long the oldest branch has waited; undefined while no participant has ever answered. */
  ageSeconds(): number | undefined;
}

/**
 * Knows since when the oldest prepared branch waits. Of a participant that does not answer it keeps what that one told
 * last: its branches wait on, and its silence must not look like their end.
 */
export function oldestInDoubt(deps: OldestInDoubtDeps): OldestInDoubt {
  const { participants, logger, now } = deps;
  const since = new Map<string, number>();
  const ask = async (client: InDoubtClient): Promise<void> => {
    const { participant } = client;
    try {
      const branches = await client.listInDoubt();
      const times = branches.map(({ preparedAt }) => preparedAt.getTime());
      since.set(participant, Math.min(...times, Infinity));
    } catch (error) {
      logger.debug({ err: error, participant }, "branches not measured");
    }
  };
  return {
    look: async () => void (await Promise.all(participants.map(ask))),
    ageSeconds() {
      if (since.size === 0) return undefined;
      const oldest = Math.min(...since.values());
      return oldest === Infinity ? 0 : (now().getTime() - oldest) / 1_000;
    },
  };
}
