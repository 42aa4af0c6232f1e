import { execFile } from "node:child_process";
import { once } from "node:events";
import {
  connect,
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
} from "node:http2";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";

let world: EdgeWorld;
let session: ClientHttp2Session;
beforeAll(async () => {
  world = await startEdgeWorld();
  session = connect(world.url, { ca: world.ca });
  await once(session, "remoteSettings");
}, 60_000);
afterAll(async () => {
  session?.destroy();
  await world?.[Symbol.asyncDispose]();
});

const WITHOUT_TOKEN = {
  ":method": "POST",
  ":path": "/v1/orders",
  "content-type": "application/json",
};

describe("a request without a token", () => {
  it.each([2, 3_999])(
    "is refused when its body of %i octets has arrived",
    async (length) => {
      const stream = post(length);

      expect(await statusSoFar(stream)).toBeUndefined();
      stream.end(Buffer.alloc(length));

      expect(await stream.answered).toBe(401);
    },
  );

  it.each([4_000, 39_999, 1e9, undefined])(
    "is refused before its body of %s octets, which nobody holds",
    async (length) => {
      expect(await post(length).answered).toBe(401);
    },
  );

  it("is refused in words that no curl loses", async () => {
    const body = JSON.stringify({ paymentToken: "x".repeat(3_900) });

    const statuses = await Promise.all(
      Array.from({ length: 20 }, () => curl(body)),
    );

    expect(new Set(statuses)).toEqual(new Set(["401"]));
  });
});

it.each([
  { what: "a verb of a document's", given: { ":path": "/docs" }, status: 405 },
  {
    what: "a deadline",
    given: { ":path": "/healthz", "grpc-timeout": "junk" },
    status: 400,
  },
])(
  "$what that is refused is refused before a body that nobody holds",
  async ({ given, status }) => {
    expect(await post(undefined, given).answered).toBe(status);
  },
);

/** A request whose body is still to come. */
function post(length: number | undefined, given: OutgoingHttpHeaders = {}) {
  const size = length === undefined ? {} : { "content-length": length };
  const stream = session.request({ ...WITHOUT_TOKEN, ...size, ...given });
  // Envoy resets a stream that it answers early.
  stream.on("error", () => undefined);
  let status: unknown;
  const answered = new Promise((resolve) =>
    stream.once("response", (headers) => resolve(headers[":status"])),
  );
  void answered.then((given) => (status = given));
  return {
    answered,
    status: () => status,
    end: (body: Buffer) => stream.end(body),
  };
}

/** What was answered to the headers alone. A refusal would be sent with the first ping's answer, at the latest. */
async function statusSoFar({
  status,
}: ReturnType<typeof post>): Promise<unknown> {
  for (let pings = 0; pings < 2; pings += 1) {
    await new Promise<void>((resolve, reject) =>
      session.ping((error) => (error ? reject(error) : resolve())),
    );
  }
  return status();
}

/** One POST over HTTP/2 by the machine's curl. */
async function curl(body: string): Promise<string> {
  const format = ["-o", "/dev/null", "-w", "%{http_code}"];
  const type = ["-H", "content-type: application/json"];
  const ca = ["--cacert", join(world.tlsFolder, "ca.pem")];
  const { stdout } = await promisify(execFile)("curl", [
    "-sS",
    "--http2",
    ...format,
    ...ca,
    ...type,
    "-d",
    body,
    `${world.url}/v1/orders`,
  ]);
  return stdout;
}
