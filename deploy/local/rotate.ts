import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { rotateSigningKeys, signingKeysFile } from "./issuer/signing-keys.ts";
import { ROOT } from "./mesh-services.ts";
import {
  dropOldAuthority,
  reissueCertificates,
  signByNextAuthority,
  trustNextAuthority,
} from "./rotate-certificates.ts";

const HELP = `Replaces what proves identities in a mesh that runs; nothing is restarted, no call fails.

  npm run rotate -- certificates   a new certificate for every service and the edge
  npm run rotate -- authority      another authority signs them: both are trusted meanwhile
  npm run rotate -- issuer-keys    the development issuer signs with its next key

  --directory  the run's folder; .weft when left out`;

/** Services look once a second, Envoy at once. */
const TAKEN_MS = 3_000;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      directory: { type: "string", default: join(ROOT, ".weft") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [what = ""] = positionals;
  const rotate = ROTATIONS[what];
  if (values.help || rotate === undefined) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const directory = resolve(values.directory);
  await readFile(join(directory, "mesh.json")).catch((cause: unknown) => {
    throw new Error(`no mesh runs in ${directory}`, { cause });
  });
  await rotate(directory);
  return 0;
}

const ROTATIONS: Readonly<
  Record<string, (directory: string) => Promise<void>>
> = {
  async certificates(directory) {
    const names = await reissueCertificates(join(directory, "tls"));
    console.log(`issued anew: ${names.join(", ")}`);
  },
  async authority(directory) {
    const folder = join(directory, "tls");
    await trustNextAuthority(folder);
    console.log("another authority is trusted beside the one that signs");
    await delay(TAKEN_MS);
    await signByNextAuthority(folder);
    console.log("it signs, and every certificate is issued anew");
    await delay(TAKEN_MS);
    await dropOldAuthority(folder);
    console.log("the old one is trusted no more");
  },
  async "issuer-keys"(directory) {
    const file = signingKeysFile(join(directory, "issuer"));
    const { current } = await rotateSigningKeys(file);
    console.log(`the issuer signs with ${current.kid}`);
  },
};

process.exitCode = await main(process.argv.slice(2));
