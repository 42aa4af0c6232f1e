import type { SortOptions, SortPhase, SortProgress } from "../sort-options.ts";
import type { Control } from "../worker/control.ts";

const PERIOD_MS = 200;

export interface ProgressReport extends Disposable {
  phase: SortPhase;
  /** Missing while the inputs' size is not known. */
  bytesTotal: number | undefined;
  bytesToMerge: number;
  tell(): void;
}

/** Tells the caller how far the sort is, at most five times a second. */
export function reportProgress(
  options: SortOptions,
  control: Control,
): ProgressReport {
  const startedAt = performance.now();
  const report: ProgressReport = {
    phase: "planning",
    bytesTotal: undefined,
    bytesToMerge: 0,
    tell() {
      options.onProgress?.(progressOf(report, control, startedAt));
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
  const timer = setInterval(() => report.tell(), PERIOD_MS);
  timer.unref();
  return report;
}

/** Both phases move about the same bytes, so the rate is taken over both. */
function progressOf(
  { phase, bytesTotal, bytesToMerge }: ProgressReport,
  control: Control,
  startedAt: number,
): SortProgress {
  const { bytesRead, records, bytesMerged, tempBytes } = control.read();
  const seconds = (performance.now() - startedAt) / 1000;
  const bytesPerSecond = (bytesRead + bytesMerged) / Math.max(seconds, 0.001);
  const left =
    bytesTotal === undefined
      ? undefined
      : Math.max(0, bytesTotal - bytesRead) +
        Math.max(0, (bytesToMerge || bytesTotal) - bytesMerged);
  return {
    phase,
    bytesRead,
    ...(bytesTotal === undefined ? {} : { bytesTotal }),
    records,
    bytesMerged,
    bytesToMerge,
    tempBytes,
    bytesPerSecond,
    ...(left === undefined || bytesPerSecond === 0
      ? {}
      : { secondsLeft: left / bytesPerSecond }),
  };
}
