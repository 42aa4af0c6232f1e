import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { SortJob_State } from "../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import type { SortStreamRequestSchema } from "../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { clientKinds, connectToEdge } from "../support/edge-clients.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import { uploadFile } from "../support/upload-file.ts";

const text = Array.from({ length: 2_000 }, (_, n) => `${(n * 7919) % 2000}\n`);
const sorted = text.toSorted().join("");

describe.each(clientKinds)("a client of %s", (kind) => {
  it("goes from a local file to a sorted one with two URLs and a call", async () => {
    using client = connectToEdge(meshUnderTest().edge, kind);
    const input = await uploadFile(
      client.files,
      Buffer.from(text.join("")),
      "text/plain",
    );

    const { job } = await client.sort.createSortJob({
      job: {
        spec: {},
        inputs: [{ source: { case: "file", value: input } }],
        output: {
          target: { case: "newFile", value: { displayName: "sorted.txt" } },
        },
      },
    });
    let done = job;
    for await (const { event } of client.sort.watchSortJob({
      name: job?.name ?? "",
    })) {
      if (event.case === "job") done = event.value;
    }

    expect(done?.failure).toBeUndefined();
    expect(done?.state).toBe(SortJob_State.SUCCEEDED);
    const { download } = await client.files.createDownload({
      name: done?.result?.file ?? "",
    });
    const answer = await fetch(download?.url ?? "");
    expect(await answer.text()).toBe(sorted);
  }, 60_000);
});

describe.each([
  "gRPC",
  "Connect JSON over HTTP/2",
  "gRPC-Web over HTTP/2",
] as const)("a client of %s", (kind) => {
  it("sorts by a stream both ways", async () => {
    using client = connectToEdge(meshUnderTest().edge, kind);
    const chunks: Uint8Array[] = [];

    for await (const { message } of client.sort.sortStream(requests())) {
      if (message.case === "chunk") chunks.push(message.value);
    }

    expect(Buffer.concat(chunks).toString()).toBe(sorted);
  }, 60_000);
});

it.each(["Connect binary over HTTP/1.1", "gRPC-Web over HTTP/1.1"] as const)(
  "tells a client of %s that a stream both ways needs HTTP/2",
  async (kind) => {
    using client = connectToEdge(meshUnderTest().edge, kind);

    const error = await failureOf(async () => {
      for await (const _ of client.sort.sortStream(requests()));
    });

    expect(error.code).toBe(Code.Unimplemented);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe(
      "HTTP2_REQUIRED",
    );
  },
);

async function* requests(): AsyncGenerator<
  MessageInitShape<typeof SortStreamRequestSchema>
> {
  yield { message: { case: "options", value: { spec: {} } } };
  for (let at = 0; at < text.length; at += 500) {
    const value = Buffer.from(text.slice(at, at + 500).join(""));
    yield { message: { case: "chunk", value: new Uint8Array(value) } };
  }
}

async function failureOf(call: () => Promise<void>): Promise<ConnectError> {
  try {
    await call();
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call did not fail");
}
