import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  startObjectStore,
  type ObjectStore,
} from "../../deploy/local/components/object-store.ts";

/** A real S3 server on a folder of its own, which goes when it is disposed of. The first run builds it (some minutes). */
export async function setupObjectStore(): Promise<
  ObjectStore & AsyncDisposable
> {
  const directory = await mkdtemp(join(tmpdir(), "weft-s3-"));
  const store = await startObjectStore({ directory });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
