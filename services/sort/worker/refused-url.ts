import { bytesOf } from "./http-request.ts";

/** An error's text is short; what comes behind so much is not read. */
const MOST_BYTES = 16_384;

/** Why a server refuses a URL: with these statuses stores also say that its time is over. */
export interface Refusal {
  readonly status: number;
  readonly isExpired: boolean;
  /** Whether another signature may do better: a 400 is about the request else. */
  readonly isOfUrl: boolean;
}

/**
 * What an answer has against its URL, or undefined. S3 says 403 `AccessDenied`, "Request has expired", and 400
 * `ExpiredToken`, as does Google; Azure says 403 with the "Expiry". CloudFront says no more than `AccessDenied`, so a 401 or
 * 403 counts as an expiry unless it names another fault: a fresh URL may cure it. Reads the body of a refusal.
 */
export async function refusalOf(
  response: Response,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const { status } = response;
  if (status !== 400 && status !== 401 && status !== 403) return undefined;
  const text = await textOf(response, signal);
  const isExpired =
    tellsExpiry(text) || (status !== 400 && !namesAnotherFault(text));
  return { status, isExpired, isOfUrl: isExpired || status !== 400 };
}

/** Only of the error itself: one about a signature shows the request, with the parameter `X-Amz-Expires`. */
function tellsExpiry(text: string): boolean {
  return text.trimStart().startsWith("<")
    ? /<(Code|Message|AuthenticationErrorDetail)>[^<]*expir/i.test(text)
    : /expired/i.test(text);
}

function namesAnotherFault(text: string): boolean {
  const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1];
  return code !== undefined && code !== "AccessDenied";
}

async function textOf(
  response: Response,
  signal: AbortSignal,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of bytesOf(response, signal)) {
    pieces.push(bytes);
    length += bytes.length;
    if (length >= MOST_BYTES) break;
  }
  return Buffer.concat(pieces).toString("utf8");
}
