import { request } from "node:https";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { DEMO_CLIENT, DEMO_USER_GRANT } from "./demo-users.ts";

const DEADLINE_MS = 10_000;

export interface TokenEndpoint {
  readonly tokenEndpoint: string;
  readonly ca: Buffer;
  readonly clientSecret: string;
}

export interface TokenWish {
  /** A demo user; the demo client itself (`client_credentials`) when left out. */
  readonly user?: string;
  /** All that the user may have, when left out. */
  readonly scope?: string;
}

const answerShape = z.union([
  z.object({ access_token: z.string(), expires_in: z.number() }),
  z.object({ error: z.string(), error_description: z.string().optional() }),
]);

export interface IssuedToken {
  readonly token: string;
  readonly seconds: number;
}

/** Asks the development issuer for a token. Throws with the issuer's own words where it refuses. */
export async function requestToken(
  endpoint: TokenEndpoint,
  { user, scope }: TokenWish,
): Promise<IssuedToken> {
  const form = new URLSearchParams({
    grant_type: user === undefined ? "client_credentials" : DEMO_USER_GRANT,
    ...(user === undefined ? {} : { user }),
    ...(scope === undefined ? {} : { scope }),
  });
  const answer = answerShape.parse(JSON.parse(await post(endpoint, form)));
  if ("error" in answer) {
    throw new Error(
      `the issuer refuses: ${answer.error_description ?? answer.error}`,
    );
  }
  return { token: answer.access_token, seconds: answer.expires_in };
}

function post(endpoint: TokenEndpoint, form: URLSearchParams): Promise<string> {
  const credentials = `${DEMO_CLIENT.id}:${encodeURIComponent(endpoint.clientSecret)}`;
  return new Promise((resolve, reject) => {
    const sent = request(
      endpoint.tokenEndpoint,
      {
        method: "POST",
        ca: endpoint.ca,
        agent: false,
        signal: AbortSignal.timeout(DEADLINE_MS),
        headers: {
          authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
          "content-type": "application/x-www-form-urlencoded",
        },
      },
      (response) => void text(response).then(resolve, reject),
    );
    sent.on("error", reject);
    sent.end(form.toString());
  });
}
