import type { SortProgress } from "../engine/sort-options.ts";

const WIDTH = 24;

/** One line that overwrites itself on a terminal. */
export interface ProgressBar extends Disposable {
  show(progress: SortProgress): void;
}

export function openProgressBar(terminal: NodeJS.WriteStream): ProgressBar {
  let isShown = false;
  return {
    show(progress) {
      terminal.write(`\r\x1b[K${progressLine(progress)}`);
      isShown = true;
    },
    [Symbol.dispose]() {
      if (isShown) terminal.write("\r\x1b[K");
    },
  };
}

export function progressLine(progress: SortProgress): string {
  const { phase, bytesPerSecond, secondsLeft } = progress;
  const share = shareOf(progress);
  const bar =
    share === undefined
      ? ""
      : `[${"#".repeat(Math.round(share * WIDTH)).padEnd(WIDTH)}] ${String(Math.floor(share * 100)).padStart(3)} % `;
  const left =
    secondsLeft === undefined ? "" : `, ${Math.ceil(secondsLeft)} s left`;
  return `${phase.padEnd(9)} ${bar}${megabytes(progress.bytesRead)} MB read, ${megabytes(progress.bytesMerged)} MB merged, ${megabytes(bytesPerSecond)} MB/s${left}`;
}

function shareOf(progress: SortProgress): number | undefined {
  const { bytesTotal, bytesRead, bytesMerged, bytesToMerge } = progress;
  if (bytesTotal === undefined && bytesToMerge === 0) return undefined;
  const total = (bytesTotal ?? bytesRead) + (bytesToMerge || (bytesTotal ?? 0));
  return total === 0 ? 1 : Math.min(1, (bytesRead + bytesMerged) / total);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
