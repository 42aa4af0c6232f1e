import { installEnvoy } from "../../../deploy/local/components/envoy.ts";
import { startProcess } from "../../../deploy/local/process.ts";
import { eventually } from "../../support/eventually.ts";

/** Starts the real Envoy with a bootstrap and waits until it is ready. */
export async function startEdgeEnvoy(options: {
  readonly directory: string;
  readonly bootstrapFile: string;
  readonly adminPort: number;
}): Promise<AsyncDisposable> {
  const envoy = await startProcess({
    name: "envoy",
    directory: options.directory,
    command: await installEnvoy(),
    args: [
      "--config-path",
      options.bootstrapFile,
      "--disable-hot-restart",
      "--log-level",
      "warning",
      "--concurrency",
      "1",
      // The access log is written every 10 s by default.
      "--file-flush-interval-msec",
      "100",
    ],
  });
  const stop = async () => {
    await envoy.stop();
  };
  try {
    await eventually("Envoy is ready", () => isReady(options.adminPort));
  } catch (cause) {
    await stop();
    throw new Error(`Envoy did not start: ${envoy.lastLines().join("\n")}`, {
      cause,
    });
  }
  return { [Symbol.asyncDispose]: stop };
}

async function isReady(adminPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/ready`, {
      signal: AbortSignal.timeout(1_000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}
