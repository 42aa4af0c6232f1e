import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ROOT } from "../mesh-services.ts";
import { demoUsers } from "./demo-users.ts";
import { requestToken } from "./request-token.ts";

const HELP = `Prints a token of the mesh's development issuer.

  npm run --silent token -- --user alice --scope 'orders:read orders:write'

  --user       ${demoUsers.map(({ name }) => name).join(", ")}; the demo client itself, when left out
  --scope      what the token is for; all that the user may have, when left out
  --directory  the run's folder; .weft when left out`;

const meshFile = z.object({
  caFile: z.string(),
  issuer: z
    .object({ tokenEndpoint: z.string(), clientSecretFile: z.string() })
    .optional(),
});

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        user: { type: "string" },
        scope: { type: "string" },
        directory: { type: "string", default: join(ROOT, ".weft") },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) console.log(HELP);
    else console.log(await printable(values));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

async function printable(wish: {
  readonly user?: string;
  readonly scope?: string;
  readonly directory: string;
}): Promise<string> {
  const file = resolve(wish.directory, "mesh.json");
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Error(`no mesh runs there: ${file} is missing`, { cause });
  });
  const mesh = meshFile.parse(JSON.parse(text));
  if (mesh.issuer === undefined) {
    throw new Error("the mesh was started with --open: it takes no tokens");
  }
  const endpoint = {
    tokenEndpoint: mesh.issuer.tokenEndpoint,
    ca: await readFile(mesh.caFile),
    clientSecret: await readFile(mesh.issuer.clientSecretFile, "utf8"),
  };
  return (await requestToken(endpoint, wish)).token;
}
