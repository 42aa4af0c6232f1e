import type { Client } from "@connectrpc/connect";
import { expect } from "vitest";
import type { FilesService } from "../../gen/ts/weft/files/v1/files_service_pb.ts";

type Uploader = Pick<
  Client<typeof FilesService>,
  "createUpload" | "completeUpload"
>;

/** Uploads the bytes by one signed URL; returns the file's name. */
export async function uploadFile(
  files: Uploader,
  content: Uint8Array,
  contentType = "application/octet-stream",
): Promise<string> {
  const { file, upload } = await files.createUpload({
    file: {
      displayName: "input.txt",
      contentType,
      sizeBytes: BigInt(content.length),
    },
  });
  const name = file?.name ?? "";
  const { "content-length": _, ...headers } = upload?.headers ?? {};
  const body = new Uint8Array(content);
  const sent = await fetch(upload?.url ?? "", { method: "PUT", headers, body });
  expect(sent.status).toBe(200);
  await files.completeUpload({ name });
  return name;
}
