import { fromBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { connect } from "node:http2";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";
import { asUser, setupRpc, type RpcWorld } from "./rpc-world.ts";

const path = "/weft.order.v1.OrderService/GetOrder";

/** Requests that no GetOrderRequest can be read from; field 1 is its name. */
const malformed = [
  ["a truncated field", Buffer.from([0x0a, 0x10, 0x61])],
  ["text that is not UTF-8", Buffer.from([0x0a, 0x02, 0xc3, 0x28])],
  ["an unknown wire type", Buffer.from([0x0f, 0x01])],
] as const;

test.each(malformed)("refuses %s over gRPC", async (_what, bytes) => {
  await using world = await setupRpc({});
  const { ca, cert, key } = world.tls.of("edge");
  const client = new Client(
    `127.0.0.1:${world.order.grpcPort}`,
    credentials.createSsl(ca, key, cert),
    { "grpc.ssl_target_name_override": "localhost" },
  );
  const error = await new Promise<{ code: number; metadata: Bins }>(
    (_resolve, reject) =>
      client.makeUnaryRequest(
        path,
        (request: Buffer) => request,
        (response) => response,
        bytes,
        (failure) => reject(failure ?? new Error("it was answered")),
      ),
  ).catch((failure: { code: number; metadata: Bins }) => failure);
  client.close();

  expect(error.code).toBe(3);
  const [status] = error.metadata.get("grpc-status-details-bin");
  expect(reasonIn(status)).toBe("MALFORMED_REQUEST");
});

interface Bins {
  get(name: string): (string | Buffer)[];
}

test.each(malformed)("refuses %s over Connect", async (_what, bytes) => {
  await using world = await setupRpc({});

  const answer = await post(world, "application/proto", bytes);

  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({
    code: "invalid_argument",
    details: [{ debug: { reason: "MALFORMED_REQUEST", domain: "weft.dev" } }],
  });
});

test.each(malformed)("refuses %s over gRPC-Web", async (_what, bytes) => {
  await using world = await setupRpc({});
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]);

  const answer = await post(world, "application/grpc-web+proto", frame);

  expect(answer.body).toContain("grpc-status: 3");
  const bin = /grpc-status-details-bin: (\S+)/.exec(answer.body)?.[1] ?? "";
  expect(reasonIn(Buffer.from(bin, "base64"))).toBe("MALFORMED_REQUEST");
});

test.each([
  ["no JSON at all", "{", "MALFORMED_REQUEST"],
  ["an unknown field", '{"nmae":"x"}', "MALFORMED_REQUEST"],
  ["a wrong type", '{"name":1}', "MALFORMED_REQUEST"],
])("refuses %s as Connect's JSON", async (_what, body, reason) => {
  await using world = await setupRpc({});

  const answer = await post(world, "application/json", Buffer.from(body));

  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({
    code: "invalid_argument",
    details: [{ debug: { reason } }],
  });
});

test("refuses a message that is larger than 4 MB, and says so", async () => {
  await using world = await setupRpc({});
  const body = Buffer.alloc(5 << 20, 0x61);

  const answer = await post(world, "application/proto", body);

  expect(answer.status).toBe(429);
  expect(JSON.parse(answer.body)).toMatchObject({
    code: "resource_exhausted",
    details: [{ debug: { reason: "MESSAGE_TOO_LARGE" } }],
  });
});

async function post(
  world: RpcWorld,
  contentType: string,
  body: Buffer,
): Promise<{ status: number; body: string }> {
  const session = connect(
    `https://localhost:${world.order.connectPort}`,
    world.tls.of("edge"),
  );
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": contentType,
      ...asUser.headers,
    });
    const status = new Promise<number>((resolve, reject) => {
      stream.on("response", (headers) => resolve(headers[":status"] ?? 0));
      stream.on("error", reject);
    });
    stream.end(body);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return {
      status: await status,
      body: Buffer.concat(chunks).toString("latin1"),
    };
  } finally {
    session.destroy();
  }
}

function reasonIn(status: string | Uint8Array | undefined): string | undefined {
  if (!(status instanceof Uint8Array)) return undefined;
  const [any] = fromBinary(StatusSchema, status).details;
  return any && fromBinary(ErrorInfoSchema, any.value).reason;
}
