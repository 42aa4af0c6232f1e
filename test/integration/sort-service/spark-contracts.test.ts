import { execFile } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readLocalConfig } from "../../../deploy/local/config.ts";
import { installSpark } from "../../../deploy/local/components/spark.ts";
import { spark } from "../../../deploy/local/versions.ts";

const copied = "deploy/contracts/spark";

test("the copied contracts of Spark Connect are those of the Spark that is installed", async () => {
  const jars = await installSpark({ cache: readLocalConfig().cacheDirectory });
  const jar = join(jars, `spark-connect_2.13-${spark.version}.jar`);
  const names = readdirSync(join(copied, "spark", "connect"));

  for (const name of names) {
    const path = `spark/connect/${name}`;
    const published = await fileIn(jar, path);
    expect(published, path).toBe(readFileSync(join(copied, path), "utf8"));
  }

  expect(names.length).toBeGreaterThan(5);
}, 900_000);

/** One file of a zip, by Python's own reader, which the installation needs too. */
async function fileIn(zip: string, path: string): Promise<string> {
  const script =
    "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
  const { stdout } = await promisify(execFile)(
    "python3",
    ["-c", script, zip, path],
    { maxBuffer: 1 << 22 },
  );
  return stdout;
}
