/** Counts the calls that a server is busy with. */
export interface OpenCalls {
  begin(): void;
  end(): void;
  /** Resolves when none is open, from now on. */
  none(): Promise<void>;
}

/** Makes the count of a server. */
export function createOpenCalls(): OpenCalls {
  let open = 0;
  let waiting: (() => void)[] = [];
  return {
    begin() {
      open += 1;
    },
    end() {
      open -= 1;
      if (open === 0) {
        for (const resolve of waiting) {
          resolve();
        }
        waiting = [];
      }
    },
    async none() {
      if (open > 0) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}
