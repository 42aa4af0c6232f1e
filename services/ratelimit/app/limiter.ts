import { performance } from "node:perf_hooks";
import type { Redis } from "ioredis";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { Descriptor } from "../domain/check.ts";
import type { Decision } from "../domain/decision.ts";
import { createDenyCache, type DenyCache } from "../domain/deny-cache.ts";
import { createLocalLimit } from "../domain/local-limit.ts";
import { createCounterKey, type CounterKey } from "../store/counter-key.ts";
import type { Counters } from "../store/counters.ts";
import type { ForgetChannel } from "../store/forget-channel.ts";
import type { Leases } from "../store/leases.ts";
import { decide, type DecideDeps } from "./decide.ts";
import { createDecisionMetrics } from "./decision-metrics.ts";
import type { RateClasses } from "./rate-classes.ts";
import { startOffenderLog } from "./offenders.ts";
import { release, type ReleaseDeps } from "./release.ts";
import { watchRules, type WatchedRules } from "./watch-rules.ts";

const LOCAL_SUBJECTS = 50_000;

export interface LimiterDeps {
  readonly logger: Logger;
  readonly redis: Redis | undefined;
  readonly counters: Counters;
  readonly leases: Pick<Leases, "giveBack">;
  readonly openForgetChannel: (
    domain: string,
    forget: (key: string) => void,
  ) => ForgetChannel;
  readonly newLease: () => string;
  readonly now: () => Date;
}

export interface LimiterSettings {
  readonly rulesFile: string;
  readonly classes: RateClasses;
  /** Processes that share a limit which each counts for itself. */
  readonly instances: number;
  /** Refusals remembered at most. */
  readonly denyCache: number;
}

/** Everything that decides, with the rules in force at each moment. */
export interface Limiter extends AsyncDisposable {
  readonly rules: WatchedRules;
  readonly denied: DenyCache;
  readonly counterKey: CounterKey;
  readonly forgetEverywhere: ForgetChannel["forgetEverywhere"];
  decide(domain: string, descriptors: readonly Descriptor[]): Promise<Decision>;
  release(
    domain: string,
    ended: readonly ReadonlyMap<string, string>[],
  ): Promise<void>;
}

/** @throws RulesError where the file of rules can't be used. */
export async function startLimiter(
  deps: LimiterDeps,
  settings: LimiterSettings,
): Promise<Limiter> {
  const denied = createDenyCache(settings.denyCache);
  const { rulesFile: file, classes } = settings;
  // Other numbers may have room where the old ones had none.
  const rules = await watchRules({ ...deps, file, classes }, () =>
    denied.clear(),
  );
  const metrics = createDecisionMetrics(rules);
  const { domain } = rules.current().rules;
  const counterKey = createCounterKey(domain);
  const { forgetEverywhere, close } = deps.openForgetChannel(
    domain,
    denied.forget,
  );
  const offenders = startOffenderLog({ ...deps, domain });
  const decideDeps: DecideDeps & ReleaseDeps = {
    ...deps,
    rules: () => rules.current().rules,
    counterKey,
    denied,
    forgetEverywhere: (keys) => {
      forgetEverywhere(keys).catch((error: unknown) => {
        const message = "other processes refuse on what was given back";
        deps.logger.debug({ err: error }, message);
      });
    },
    local: createLocalLimit(settings.instances, LOCAL_SUBJECTS),
    nowMs: () => performance.now(),
  };
  const noteDomain = createDomainNote(deps, domain);
  return {
    rules,
    denied,
    counterKey,
    forgetEverywhere,
    async decide(asked, descriptors) {
      noteDomain(asked);
      const startedAt = performance.now();
      const decision = await decide(decideDeps, asked, descriptors);
      metrics.decided(decision, (performance.now() - startedAt) / 1_000);
      offenders.note(decision);
      return decision;
    },
    release: (asked, ended) => release(decideDeps, asked, ended),
    async [Symbol.asyncDispose]() {
      rules[Symbol.dispose]();
      metrics[Symbol.dispose]();
      close();
      await offenders.close();
    },
  };
}

/** Says once that an edge asks of another domain: all of its calls pass, and nothing else would tell. */
function createDomainNote(
  { logger }: Pick<LimiterDeps, "logger">,
  domain: string,
) {
  let said = false;
  return (asked: string) => {
    if (said || asked === domain) return;
    said = true;
    const message = "an edge asks of another domain, which has no limits";
    logger.error({ asked, domain }, message);
  };
}
