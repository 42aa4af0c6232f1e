import {
  createFileRegistry,
  fromBinary,
  type DescService,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { execFile } from "node:child_process";
import { cpSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The contract of the two services that call each other (contracts/weft/gift/v1). */
export interface GiftContract {
  /** A folder with the contract and all that it imports. */
  readonly folder: string;
  readonly gifts: DescService;
  readonly shop: DescService;
}

/** Exports the contract together with weft's own, as a team with a service of its own would, and reads it. */
export async function readGiftContract(below: string): Promise<GiftContract> {
  const folder = join(below, "contracts");
  await run("buf", ["export", "proto", "--output", folder]);
  cpSync("test/polyglot/contracts", folder, { recursive: true });
  const file = join(below, "gift.binpb");
  const options = ["--as-file-descriptor-set", "--output", file];
  await run("buf", ["build", folder, ...options]);
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, await readFile(file)),
  );
  const service = (name: string) => {
    const found = registry.getService(`weft.gift.v1.${name}`);
    if (!found) throw new Error(`the contract has no ${name}`);
    return found;
  };
  return {
    folder,
    gifts: service("GiftService"),
    shop: service("ShopService"),
  };
}
