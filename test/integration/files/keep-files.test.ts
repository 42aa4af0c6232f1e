import { createHash, randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ObjectStore } from "../../../deploy/local/components/object-store.ts";
import {
  File_State,
  type SignedRequest,
} from "../../../gen/ts/weft/files/v1/file_pb.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { setupObjectStore } from "../../support/object-store.ts";
import { reasonOf, setupWorld, type FilesClient } from "./files-world.ts";

let database: TestDatabase;
let store: ObjectStore & AsyncDisposable;
beforeAll(async () => {
  database = await setupDatabase({ service: "files" });
  store = await setupObjectStore();
}, 600_000);
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await database.close();
});

const csv = (bytes: Uint8Array | string, displayName = "people.csv") => ({
  displayName,
  contentType: "text/csv",
  sizeBytes: BigInt(Buffer.from(bytes).length),
});

test("goes from a local file to a file that can be read", async () => {
  const world = setupWorld(database, store);
  const files = world.user();
  const bytes = "name,age\nada,36\n";

  const { file, upload } = await files.createUpload({ file: csv(bytes) });
  const sent = await send(upload, bytes);
  const sha256 = createHash("sha256").update(bytes).digest();
  const { file: ready } = await files.completeUpload({
    name: file?.name ?? "",
    sha256,
  });
  const { download } = await files.createDownload({ name: file?.name ?? "" });
  const answer = await fetch(download?.url ?? "");

  expect(sent.status).toBe(200);
  expect(ready).toMatchObject({
    displayName: "people.csv",
    state: File_State.READY,
    owner: "ada",
  });
  expect(Buffer.from(ready?.sha256 ?? []).equals(sha256)).toBe(true);
  expect(await answer.text()).toBe(bytes);
  expect(answer.headers.get("content-disposition")).toBe(
    "attachment; filename*=UTF-8''people.csv",
  );
  expect(await world.announced()).toEqual(["FileUploaded"]);
});

test("signs for users by the store's public address, and for services by the inner one", async () => {
  const outside = "http://files.example";
  const world = setupWorld(database, store, {}, outside);
  const [user, sort] = [world.user(), world.sort()];
  const bytes = "a,b\n";

  const { file, upload } = await sort.createUpload({ file: csv(bytes) });
  const sent = await send(upload, bytes);
  await sort.completeUpload({ name: file?.name ?? "" });
  const download = { name: file?.name ?? "" };
  const inner = await sort.createDownload(download);
  const outer = await user.createDownload(download);
  const began = await user.createUpload({ file: csv(bytes), multipart: true });
  const parts = { name: began.file?.name ?? "", partNumbers: [1] };
  const innerParts = await sort.signUploadParts(parts);
  const outerParts = await user.signUploadParts(parts);
  const single = await user.createUpload({ file: csv(bytes) });

  expect(sent.status).toBe(200);
  expect((await fetch(url(inner.download))).status).toBe(200);
  expect(originOf(innerParts.parts[0])).toBe(store.url);
  for (const signed of [outer.download, outerParts.parts[0], single.upload]) {
    expect(originOf(signed)).toBe(outside);
  }
});

test("refuses whatever the URL was not signed for", async () => {
  const files = setupWorld(database, store).user();
  const bytes = "a,b\n";
  const { upload } = await files.createUpload({ file: csv(bytes) });
  const { upload: other } = await files.createUpload({ file: csv(bytes) });
  const good = url(upload);
  const tampered = new URL(good);
  const signature = tampered.searchParams.get("X-Amz-Signature") ?? "";
  tampered.searchParams.set(
    "X-Amz-Signature",
    signature.replace(/^./, "0") === signature
      ? "1" + signature.slice(1)
      : "0" + signature.slice(1),
  );
  const elsewhere = new URL(good);
  elsewhere.pathname = new URL(url(other)).pathname;

  const statuses = {
    tampered: await statusOf(tampered, upload, bytes),
    anotherKey: await statusOf(elsewhere, upload, bytes),
    anotherType: await statusOf(new URL(good), upload, bytes, {
      "content-type": "text/html",
    }),
    larger: await statusOf(new URL(good), upload, bytes + bytes),
    anotherMethod: (await fetch(good)).status,
    asSigned: (await send(upload, bytes)).status,
  };

  expect(statuses).toEqual({
    tampered: 403,
    anotherKey: 403,
    anotherType: 403,
    larger: 403,
    anotherMethod: 403,
    asSigned: 200,
  });
});

test("lets a URL expire", async () => {
  const world = setupWorld(database, store);
  const bytes = "a\n";
  world.pass(-400_000);

  const { upload } = await world.user().createUpload({ file: csv(bytes) });

  expect((await send(upload, bytes)).status).toBe(403);
});

test("keeps what was checked, though the URL is still good", async () => {
  const files = setupWorld(database, store).user();
  const { file, upload } = await files.createUpload({ file: csv("good\n") });
  await send(upload, "good\n");
  await files.completeUpload({ name: file?.name ?? "" });

  const again = await send(upload, "evil\n");

  expect(again.status).toBe(412);
  expect(await textOf(files, file?.name)).toBe("good\n");
});

test("makes no file of what was never uploaded", async () => {
  const files = setupWorld(database, store).user();
  const { file } = await files.createUpload({ file: csv("a\n") });
  const name = file?.name ?? "";

  expect(await reasonOf(files.completeUpload({ name }))).toBe("OBJECT_MISSING");
  expect(await reasonOf(files.createDownload({ name }))).toBe("FILE_STATE");
  expect(
    await reasonOf(files.completeUpload({ name: `files/${randomUUID()}` })),
  ).toBe("FILE_NOT_FOUND");
});

test("removes what is not of its type, and takes the right thing then", async () => {
  const files = setupWorld(database, store).user();
  const png = Buffer.from("89504e470d0a1a0a0000", "hex");
  const { file, upload } = await files.createUpload({
    file: { displayName: "x.png", contentType: "image/png", sizeBytes: 10n },
  });
  const name = file?.name ?? "";
  await send(upload, "<script>  ");

  const reason = await reasonOf(files.completeUpload({ name }));
  await send(upload, png);
  const { file: ready } = await files.completeUpload({ name });

  expect(reason).toBe("CONTENT_MISMATCH");
  expect(ready?.state).toBe(File_State.READY);
});

test("refuses bytes with another checksum", async () => {
  const files = setupWorld(database, store).user();
  const { file, upload } = await files.createUpload({ file: csv("a\n") });
  await send(upload, "b\n");

  const reason = await reasonOf(
    files.completeUpload({
      name: file?.name ?? "",
      sha256: createHash("sha256").update("a\n").digest(),
    }),
  );

  expect(reason).toBe("CHECKSUM_MISMATCH");
});

test("keeps the bytes of a file that one call makes ready while another states a wrong checksum", async () => {
  const files = setupWorld(database, store).user();
  const right = createHash("sha256").update("a\n").digest();
  const wrong = createHash("sha256").update("b\n").digest();

  const race = async (): Promise<string> => {
    const { file, upload } = await files.createUpload({ file: csv("a\n") });
    const name = file?.name ?? "";
    await send(upload, "a\n");
    const calls = [right, wrong, right, wrong, right].map((sha256) =>
      files.completeUpload({ name, sha256 }).catch(() => undefined),
    );
    await Promise.all(calls);
    const { file: now } = await files.getFile({ name });
    return now?.state === File_State.READY ? textOf(files, name) : "not ready";
  };
  const ends = await Promise.all(Array.from({ length: 20 }, race));

  for (const end of ends) expect(["a\n", "not ready"]).toContain(end);
}, 60_000);

test("joins a file that is uploaded in parts", async () => {
  const files = setupWorld(database, store).user();
  const bytes = randomBytes(17 * 1024 * 1024 + 5);
  const { file, multipart } = await files.createUpload({
    file: {
      displayName: "large.bin",
      contentType: "application/octet-stream",
      sizeBytes: BigInt(bytes.length),
    },
    multipart: true,
  });
  const name = file?.name ?? "";
  const { parts } = await files.signUploadParts({
    name,
    partNumbers: [3, 1, 2],
  });
  const size = Number(multipart?.partSizeBytes);
  const sent = await Promise.all(
    [3, 1, 2].map(async (partNumber, index) => {
      const start = (partNumber - 1) * size;
      const answer = await send(
        parts[index],
        bytes.subarray(start, start + size),
      );
      return { partNumber, etag: answer.headers.get("etag") ?? "" };
    }),
  );

  const missing = await reasonOf(
    files.completeUpload({ name, parts: sent.slice(1) }),
  );
  const wrong = await reasonOf(
    files.completeUpload({
      name,
      parts: sent.map((part) => ({ ...part, etag: `"${"0".repeat(32)}"` })),
    }),
  );
  const { file: ready } = await files.completeUpload({ name, parts: sent });
  const again = await files.completeUpload({ name, parts: sent });

  expect(multipart).toMatchObject({ partCount: 3 });
  expect([missing, wrong]).toEqual(["PART_INVALID", "PART_INVALID"]);
  expect(ready?.state).toBe(File_State.READY);
  expect(again.file?.objectEtag).toBe(ready?.objectEtag);
  const { download } = await files.createDownload({ name });
  const read = Buffer.from(await (await fetch(url(download))).arrayBuffer());
  expect(read.equals(bytes)).toBe(true);
}, 60_000);

test("shows a file to nobody but its owner", async () => {
  const world = setupWorld(database, store);
  const { file } = await world.user("ada").createUpload({ file: csv("a\n") });
  const name = file?.name ?? "";

  for (const stranger of [world.user("bob"), world.user("ada", "other")]) {
    expect(await reasonOf(stranger.getFile({ name }))).toBe("FILE_NOT_FOUND");
    expect(await reasonOf(stranger.createDownload({ name }))).toBe(
      "FILE_NOT_FOUND",
    );
    expect(await reasonOf(stranger.deleteFile({ name }))).toBe(
      "FILE_NOT_FOUND",
    );
    expect(await reasonOf(stranger.completeUpload({ name }))).toBe(
      "FILE_NOT_FOUND",
    );
    expect((await stranger.listFiles({})).files).toEqual([]);
  }
});

test.each(["../etc/passwd", "a/b", "..", "a\0b", "a\\b"])(
  "refuses the name %j",
  async (displayName) => {
    const files = setupWorld(database, store).user();

    const reason = await reasonOf(
      files.createUpload({ file: csv("a\n", displayName) }),
    );

    expect(reason).toBe("INVALID_FIELD");
  },
);

test("keeps two files of one name apart", async () => {
  const files = setupWorld(database, store).user();
  const names: string[] = [];
  for (const bytes of ["one\n", "two\n"]) {
    const { file, upload } = await files.createUpload({ file: csv(bytes) });
    await send(upload, bytes);
    await files.completeUpload({ name: file?.name ?? "" });
    names.push(file?.name ?? "");
  }

  expect(await textOf(files, names[0])).toBe("one\n");
  expect(await textOf(files, names[1])).toBe("two\n");
});

test("limits type, size and number", async () => {
  const files = setupWorld(database, store, {
    maxBytes: 100n,
    uploadsPerOwner: 2,
  }).user();
  const file = csv("a\n");

  const reasons = [
    await reasonOf(files.createUpload({ file: { ...file, sizeBytes: 101n } })),
    await reasonOf(
      files.createUpload({ file: { ...file, contentType: "video/mp4" } }),
    ),
  ];
  await files.createUpload({ file });
  await files.createUpload({ file });
  reasons.push(await reasonOf(files.createUpload({ file })));

  expect(reasons).toEqual([
    "FILE_TOO_LARGE",
    "CONTENT_TYPE_REFUSED",
    "QUOTA_EXCEEDED",
  ]);
});

test("begins one upload for one request id", async () => {
  const files = setupWorld(database, store).user();
  const requestId = randomUUID();
  const file = csv("a\n");

  const all = await Promise.all(
    [1, 2, 3].map(() => files.createUpload({ file, requestId })),
  );
  const other = await reasonOf(
    files.createUpload({ file: csv("bb\n"), requestId }),
  );

  expect(new Set(all.map((each) => each.file?.name)).size).toBe(1);
  expect(other).toBe("REQUEST_ID_REUSED");
});

test("sweeps uploads that nobody completed, and files whose end has come", async () => {
  const world = setupWorld(database, store);
  const files = world.user();
  const soon = {
    seconds: BigInt(Math.floor(Date.now() / 1000) + 3600),
    nanos: 0,
  };
  const kept = await files.createUpload({
    file: { ...csv("kept\n"), expireTime: soon },
  });
  await send(kept.upload, "kept\n");
  await files.completeUpload({ name: kept.file?.name ?? "" });
  const { download } = await files.createDownload({
    name: kept.file?.name ?? "",
  });
  const lost = await files.createUpload({ file: csv("lost\n") });
  await send(lost.upload, "lost\n");

  await world.sweep();
  const before = (await files.listFiles({})).files.length;
  world.pass(86_400_001);
  await world.sweep();

  expect(before).toBe(2);
  expect((await files.listFiles({})).files).toEqual([]);
  expect((await fetch(url(download))).status).toBe(404);
  expect((await world.announced()).toSorted()).toEqual([
    "FileDeleted",
    "FileDeleted",
    "FileUploaded",
  ]);
});

test("deletes and aborts, and says so once", async () => {
  const world = setupWorld(database, store);
  const files = world.user();
  const { file, upload } = await files.createUpload({ file: csv("a\n") });
  const name = file?.name ?? "";
  await send(upload, "a\n");
  await files.completeUpload({ name });
  const { file: other } = await files.createUpload({ file: csv("b\n") });
  const otherName = other?.name ?? "";

  const refused = await reasonOf(files.abortUpload({ name }));
  await files.deleteFile({ name });
  await files.abortUpload({ name: otherName });
  await files.abortUpload({ name: otherName });

  expect(refused).toBe("FILE_STATE");
  expect(await reasonOf(files.getFile({ name }))).toBe("FILE_NOT_FOUND");
  expect(await world.announced()).toEqual([
    "FileUploaded",
    "FileDeleted",
    "FileDeleted",
  ]);
});

test("pages through files, newest first", async () => {
  const files = setupWorld(database, store).user();
  for (let n = 0; n < 5; n += 1) {
    await files.createUpload({ file: csv("a\n", `${n}.csv`) });
  }

  const told: string[] = [];
  let pageToken = "";
  do {
    const page = await files.listFiles({ pageSize: 2, pageToken });
    told.push(...page.files.map(({ displayName }) => displayName));
    pageToken = page.nextPageToken;
  } while (pageToken);

  expect(told).toEqual(["4.csv", "3.csv", "2.csv", "1.csv", "0.csv"]);
});

test("says so where the object store does not answer", async () => {
  const files = setupWorld(database, {
    ...store,
    url: "http://127.0.0.1:1",
  }).user();

  const reason = await reasonOf(files.createUpload({ file: csv("a\n") }));

  expect(reason).toBe("OBJECT_STORE_UNAVAILABLE");
});

function originOf(signed: SignedRequest | undefined): string {
  return new URL(url(signed)).origin;
}

function url(signed: SignedRequest | undefined): string {
  if (!signed) throw new Error("nothing was signed");
  return signed.url;
}

function send(
  signed: SignedRequest | undefined,
  body: Uint8Array | string,
): Promise<Response> {
  return fetch(url(signed), {
    method: signed?.method ?? "",
    headers: withoutLength(signed?.headers ?? {}),
    body: Buffer.from(body),
  });
}

async function statusOf(
  at: URL,
  signed: SignedRequest | undefined,
  body: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const answer = await fetch(at, {
    method: "PUT",
    headers: { ...withoutLength(signed?.headers ?? {}), ...headers },
    body,
  });
  return answer.status;
}

/** `fetch` states the length by itself, and refuses to be told. */
function withoutLength(headers: Record<string, string>) {
  const { "content-length": _, ...others } = headers;
  return others;
}

async function textOf(files: FilesClient, name = ""): Promise<string> {
  const { download } = await files.createDownload({ name });
  return (await fetch(url(download))).text();
}
