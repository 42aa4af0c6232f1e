import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  requestToken,
  type TokenWish,
} from "../../deploy/local/issuer/request-token.ts";

/** A token of the mesh's development issuer, from what `mesh.json` in its folder says. */
export async function tokenFor(
  directory: string,
  wish: TokenWish,
): Promise<string> {
  const file = readFileSync(join(directory, "mesh.json"), "utf8");
  // What describeMesh writes of a mesh with an issuer.
  const { caFile, issuer } = JSON.parse(file) as {
    caFile: string;
    issuer: { tokenEndpoint: string; clientSecretFile: string };
  };
  const endpoint = {
    tokenEndpoint: issuer.tokenEndpoint,
    ca: readFileSync(caFile),
    clientSecret: readFileSync(issuer.clientSecretFile, "utf8"),
  };
  return (await requestToken(endpoint, wish)).token;
}
