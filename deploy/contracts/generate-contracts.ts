import { spawnSync } from "node:child_process";
import { join } from "node:path";

const BIN = join("node_modules", ".bin");
const PUBLISHED = [
  "node_modules/@grpc/grpc-js-xds/deps/envoy-api/envoy/service/ratelimit/v3/rls.proto",
  "node_modules/grpc-health-check/proto/health/v1/health.proto",
  "node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
  "node_modules/@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
];
const GOOGLE_RPC = "node_modules/google-proto-files/google/rpc";

/** The folders that are wholly generated, below the root of the checkout. */
export const generatedFolders = [
  "gen/ts",
  "gen/edge",
  "gen/openapi",
  "gen/docs",
] as const;

/**
 * Generates everything that follows from `proto/` below `out`, in the folders it has in the checkout. Needs the npm
 * packages and nothing from the network. Run from the root of the checkout; throws with buf's message.
 */
export function generateContracts(out: string, env: NodeJS.ProcessEnv): void {
  run("node", ["deploy/contracts/print-validate-proto.ts"], env);
  run("buf", ["generate", "--output", out], env);
  run("buf", ["generate", ".", ...publishedOptions(out)], env);
  run("buf", ["generate", ".", ...sparkOptions(out)], env);
  run(
    "buf",
    ["build", ".", ...descriptorSetOptions(join(out, "gen/edge/weft.binpb"))],
    env,
  );
}

/** Contracts that we serve and others publish: a workspace of its own, so that neither lint nor breaking rules are asked of it. */
function publishedOptions(out: string): string[] {
  return [
    "--config",
    "deploy/contracts/published.buf.yaml",
    "--template",
    "deploy/contracts/published.buf.gen.yaml",
    ...PUBLISHED.flatMap((file) => ["--path", file]),
    "--output",
    out,
  ];
}

/** Spark Connect, likewise: copied, for no npm package has it. */
function sparkOptions(out: string): string[] {
  return [
    "--config",
    "deploy/contracts/spark.buf.yaml",
    "--template",
    "deploy/contracts/spark.buf.gen.yaml",
    "--output",
    out,
  ];
}

/** Runs one of the checkout's own tools; throws with what it said. */
export function run(
  tool: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): void {
  const result = spawnSync(join(BIN, tool), args, {
    // buf looks for protoc-gen-es and for the node of the edge's plugin on the PATH.
    env: { ...env, PATH: `${join(process.cwd(), BIN)}:${env["PATH"] ?? ""}` },
    encoding: "utf8",
    timeout: 120_000,
  });
  if (result.error !== undefined)
    throw new Error(`${tool} did not run`, { cause: result.error });
  if (result.status === 0) return;
  throw new Error(
    `${tool} ${args[0] ?? ""} failed:\n${result.stdout}${result.stderr}`,
  );
}

/** What Envoy transcodes with. Without Google's error model in it, it drops the details of every error. */
function descriptorSetOptions(file: string): string[] {
  return [
    "--path",
    "proto/weft",
    "--path",
    `${GOOGLE_RPC}/status.proto`,
    "--path",
    `${GOOGLE_RPC}/error_details.proto`,
    "--as-file-descriptor-set",
    "--exclude-source-info",
    "--output",
    file,
  ];
}
