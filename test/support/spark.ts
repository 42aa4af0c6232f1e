import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSpark, type Spark } from "../../deploy/local/components/spark.ts";
import { freePort } from "../../deploy/local/ports.ts";

/** A real Spark Connect server, which can be stopped and started again where it was. */
export interface SparkUnderTest extends AsyncDisposable {
  readonly remote: string;
  readonly pid: () => number;
  restart(): Promise<void>;
}

/**
 * Starts Spark such that even small inputs are read in several tasks and written in several parts. The first run installs it
 * (480 MB). Where it can't be had, the test fails and says why.
 */
export async function setupSpark(): Promise<SparkUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "weft-spark-"));
  const port = await freePort();
  const start = () =>
    startSpark({
      directory,
      port,
      settings: {
        "spark.sql.files.maxPartitionBytes": "300000",
        "spark.sql.files.openCostInBytes": "0",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.connect.progress.reportInterval": "200ms",
      },
    });
  let spark: Spark = await start();
  const pid = () => {
    if (spark.pid === undefined) throw new Error("Spark is not ours");
    return spark.pid;
  };
  return {
    remote: spark.remote,
    pid,
    async restart() {
      process.kill(pid(), "SIGKILL");
      await spark.exited;
      spark = await start();
    },
    async [Symbol.asyncDispose]() {
      await spark.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
