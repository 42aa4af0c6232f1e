import { existsSync } from "node:fs";
import { join } from "node:path";
import { readLocalConfig, type LocalConfig } from "../config.ts";
import { buildGoTool, findProgram } from "../tool-chains.ts";
import { grpcurl } from "../versions.ts";

/** The grpcurl that is there already: on the PATH, or built by an earlier `installGrpcurl`. */
export async function findGrpcurl(
  config: LocalConfig,
): Promise<string | undefined> {
  const onPath = await findProgram("grpcurl");
  if (onPath !== undefined) return onPath;
  const built = join(
    config.cacheDirectory,
    `grpcurl-${grpcurl.version}`,
    "grpcurl",
  );
  return existsSync(built) ? built : undefined;
}

/** Builds grpcurl, once, and returns its path. Throws ComponentUnavailable. */
export async function installGrpcurl(
  options: {
    config?: LocalConfig;
    onProgress?: (line: string) => void;
    signal?: AbortSignal;
  } = {},
): Promise<string> {
  const config = options.config ?? readLocalConfig();
  return buildGoTool(
    {
      cache: config.cacheDirectory,
      onProgress: options.onProgress,
      signal: options.signal,
    },
    {
      name: "grpcurl",
      version: grpcurl.version,
      package: "github.com/fullstorydev/grpcurl/cmd/grpcurl",
      megabytes: 1_000,
    },
  );
}
