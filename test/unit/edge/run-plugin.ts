import { create, fromBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Plugin } from "@bufbuild/protoplugin";
import { edgePlugin } from "../../../deploy/edge/edge-plugin.ts";

const BUF_YAML = `version: v2
modules:
  - path: proto
  - path: node_modules/google-proto-files
    includes: [node_modules/google-proto-files/google/api]
    excludes:
      - node_modules/google-proto-files/google/api/apikeys
      - node_modules/google-proto-files/google/api/cloudquotas
      - node_modules/google-proto-files/google/api/servicecontrol
      - node_modules/google-proto-files/google/api/servicemanagement
      - node_modules/google-proto-files/google/api/serviceusage
`;

const HEAD = `syntax = "proto3";
package weft.test.v1;
import "google/api/annotations.proto";
import "google/protobuf/duration.proto";
import "weft/policy/v1/policy.proto";
// Answers.
message Answer {
  // The name.
  string name = 1;
  // Another field.
  string other = 2;
}
// Asks.
message Ask {
  // The name.
  string name = 1;
}
`;

export interface PluginResult {
  /** What the plugin says against the contract; empty where it takes it. */
  readonly error: string;
  /** What it writes, by file name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Compiles a contract of the package weft.test.v1, which has the messages Ask and Answer, with buf, and runs the plugin on it. */
export function runPlugin(
  contract: string,
  plugin: Plugin = edgePlugin,
): PluginResult {
  const folder = mkdtempSync(join(tmpdir(), "weft-plugin-"));
  try {
    mkdirSync(join(folder, "proto/weft/test/v1"), { recursive: true });
    cpSync("proto/weft/policy", join(folder, "proto/weft/policy"), {
      recursive: true,
    });
    symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "buf.yaml"), BUF_YAML);
    writeFileSync(
      join(folder, "proto/weft/test/v1/test.proto"),
      HEAD + contract,
    );
    const args = [
      "build",
      "proto",
      "--as-file-descriptor-set",
      "--output",
      "-",
    ];
    const bytes = execFileSync(resolve("node_modules/.bin/buf"), args, {
      cwd: folder,
      timeout: 60_000,
    });
    return run(plugin, bytes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(plugin: Plugin, descriptorSet: Uint8Array): PluginResult {
  const response = plugin.run(
    create(CodeGeneratorRequestSchema, {
      fileToGenerate: ["weft/test/v1/test.proto"],
      protoFile: fromBinary(FileDescriptorSetSchema, descriptorSet).file,
    }),
  );
  const files = Object.fromEntries(
    response.file.map(({ name, content }) => [name, content]),
  );
  return { error: response.error, files };
}
