const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 15_000;

/** How long to wait before something that has died so often is started again. Equal jitter: at least half the step, so that a crash loop stays slow. */
export function restartBackoff(deaths: number): number {
  const step = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** deaths);
  return Math.round(step / 2 + (Math.random() * step) / 2);
}

/** What lived so long was well: its next end is a first one again. */
export const HEALTHY_MS = 30_000;
