import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SortJob_State } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { withoutQuery } from "../../../services/sort/domain/sort-plan.ts";
import { eventually } from "../../support/eventually.ts";
import { uploadFile } from "../../support/upload-file.ts";
import {
  reasonOf,
  runJob,
  settled,
  setupSort,
  type SortWorld,
} from "./sort-world.ts";

let world: SortWorld;
let s3: S3Client;
beforeAll(async () => {
  world = await setupSort();
  const { url, accessKeyId, secretAccessKey } = world.store;
  s3 = new S3Client({
    endpoint: url,
    region: "us-east-1",
    forcePathStyle: true,
    // A signature over a checksum of nothing would refuse every body.
    requestChecksumCalculation: "WHEN_REQUIRED",
    credentials: { accessKeyId, secretAccessKey },
  });
  await s3.send(new CreateBucketCommand({ Bucket }));
  await writeFile(join(world.inbox, "in"), "b\na\n");
}, 600_000);
afterAll(async () => {
  s3.destroy();
  await world[Symbol.asyncDispose]();
});

test("names the input whose URL the store calls expired, and goes on with a fresh one", async () => {
  await store("input", "d\nc\n");
  const expired = await signed("input", "GET", 1);
  await eventually("the store refuses the URL", async () => {
    return (await fetch(expired)).status === 403;
  });

  const job = await runJob(world.client(), {
    spec: {},
    inputs: [inInbox("in"), { source: { case: "url", value: expired } }],
    output: { target: inOutbox("sorted") },
  });
  const inputUrls = { 1: await signed("input", "GET", 600) };
  await world.client().resumeSortJob({ name: job.name, inputUrls });
  const done = await settled(world.client(), job.name);

  expect(job).toMatchObject({
    state: SortJob_State.SUSPENDED,
    failure: {
      reason: "URL_EXPIRED",
      metadata: { input: withoutQuery(expired), position: "1" },
    },
  });
  expect(job.failure?.message).not.toContain("X-Amz");
  expect(done.failure).toBeUndefined();
  expect(await readFile(join(world.outbox, "sorted"), "utf8")).toBe(
    "a\nb\nc\nd\n",
  );
}, 60_000);

test("names the output whose URL the store calls expired, and sends what was sorted to a fresh one", async () => {
  const expired = await signed("output", "PUT", 1);
  await eventually("the store refuses the URL", async () => {
    return (await fetch(expired, { method: "PUT", body: "x" })).status === 403;
  });

  const job = await runJob(world.client(), {
    spec: {},
    inputs: [inInbox("in")],
    output: { target: { case: "url", value: expired } },
  });
  // The input is not needed any more: only the sending is left.
  await writeFile(join(world.inbox, "in"), "changed\n");
  const outputUrl = await signed("output", "PUT", 600);
  await world.client().resumeSortJob({ name: job.name, outputUrl });
  const done = await settled(world.client(), job.name);

  expect(job).toMatchObject({
    state: SortJob_State.SUSPENDED,
    failure: {
      reason: "URL_EXPIRED",
      metadata: { output: withoutQuery(expired) },
    },
  });
  expect(job.failure?.message).not.toContain("X-Amz");
  expect(done.failure).toBeUndefined();
  const sent = await fetch(await signed("output", "GET", 600));
  expect(await sent.text()).toBe("a\nb\n");
}, 60_000);

test("sends a private file to no URL of a colleague's, who sees the job", async () => {
  const file = await uploadFile(world.files(), Buffer.from("b\na\n"));
  const expired = await signed("private", "PUT", 1);
  await eventually("the store refuses the URL", async () => {
    return (await fetch(expired, { method: "PUT", body: "x" })).status === 403;
  });
  const { name } = await runJob(world.client(), {
    spec: {},
    inputs: [{ source: { case: "file", value: file } }],
    output: { target: { case: "url", value: expired } },
  });
  const colleague = world.client("acme", "bob");
  const outputUrl = await signed("colleague's", "PUT", 600);

  const seen = await colleague.getSortJob({ name });
  const reason = await reasonOf(colleague.resumeSortJob({ name, outputUrl }));
  const stranger = await reasonOf(
    world.client("other").resumeSortJob({ name, outputUrl }),
  );
  const { job } = await world.client().getSortJob({ name });

  expect(seen.job?.state).toBe(SortJob_State.SUSPENDED);
  expect([reason, stranger]).toEqual(["NOT_OWNER", "SORT_JOB_NOT_FOUND"]);
  expect(job).toEqual(seen.job);
}, 60_000);

const hasExpired = errorOf("AccessDenied", "Request has expired");
const tokenExpired = errorOf("ExpiredToken", "The provided token has expired.");
const isDenied = errorOf("AccessDenied", "Access Denied");
/** It quotes the request, in which the word is a parameter's. */
const isForged =
  errorOf("SignatureDoesNotMatch", "The signature does not match.") +
  "<CanonicalRequest>X-Amz-Expires=600</CanonicalRequest>";

test.each([
  [403, hasExpired, "URL_EXPIRED", "URL_EXPIRED"],
  [400, tokenExpired, "URL_EXPIRED", "URL_EXPIRED"],
  [401, "this link has expired", "URL_EXPIRED", "URL_EXPIRED"],
  [403, isDenied, "URL_EXPIRED", "URL_EXPIRED"],
  [403, "", "URL_EXPIRED", "URL_EXPIRED"],
  [403, isForged, "INPUT_UNREADABLE", "OUTPUT_FAILED"],
  [400, "bad request", "INPUT_UNREADABLE", "OUTPUT_FAILED"],
])(
  "takes status %s with the body %s for %s of an input, and for %s of an output",
  async (status, body, ofInput, ofOutput) => {
    world.proxy.fault = () => ({ kind: "status", status, body });
    const url = world.proxy.through(`${world.store.url}/${Bucket}/any`);

    const reading = await runJob(world.client(), {
      spec: {},
      inputs: [{ source: { case: "url", value: url } }],
      output: { target: inOutbox("unread") },
    });
    const writing = await runJob(world.client(), {
      spec: {},
      inputs: [inInbox("in")],
      output: { target: { case: "url", value: url } },
    });

    expect(reading.failure?.reason).toBe(ofInput);
    expect(writing.failure?.reason).toBe(ofOutput);
  },
  60_000,
);

function errorOf(code: string, message: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>`;
}

/** The caller's own. */
const Bucket = "of-a-caller";

async function store(Key: string, Body: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body }));
}

function signed(
  Key: string,
  method: "GET" | "PUT",
  expiresIn: number,
): Promise<string> {
  return method === "GET"
    ? getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), { expiresIn })
    : getSignedUrl(s3, new PutObjectCommand({ Bucket, Key }), { expiresIn });
}

function inInbox(path: string) {
  return {
    source: { case: "path", value: { folder: "inbox", path } },
  } as const;
}

function inOutbox(path: string) {
  return { case: "path", value: { folder: "outbox", path } } as const;
}
