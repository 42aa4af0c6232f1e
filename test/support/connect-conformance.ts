import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { buildGoTool, findGo } from "../../deploy/local/tool-chains.ts";
import { connectConformance } from "../../deploy/local/versions.ts";

const run = promisify(execFile);

/** The official conformance suite of Connect: its program, and the folder of its contracts. */
export interface ConformanceSuite {
  readonly program: string;
  readonly contracts: string;
}

/** Builds the suite, once. Its contracts stand in its own Go module, so none of them is copied. */
export async function installConformanceSuite(): Promise<ConformanceSuite> {
  const context = { cache: readLocalConfig().cacheDirectory };
  const program = await buildGoTool(context, {
    name: "connectconformance",
    version: connectConformance.version,
    package: "connectrpc.com/conformance/cmd/connectconformance",
    megabytes: 1_000,
  });
  const go = await findGo(context, "connectconformance");
  const { stdout } = await run(
    go,
    ["mod", "download", "-json", "connectrpc.com/conformance"],
    { cwd: join("deploy", "local", "tools", "connectconformance") },
  );
  // The documented output of `go mod download -json`.
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  return { program, contracts: join(Dir, "proto") };
}
