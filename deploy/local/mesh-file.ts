import { removeMeshFile, writeMeshFile } from "./mesh-directory.ts";

/** `mesh.json` of a mesh that runs; gone once it is disposed, whatever was to be written still. */
export interface MeshFile extends AsyncDisposable {
  /** Writes what the mesh is now, behind what is being written. */
  readonly write: () => Promise<void>;
}

/** Does not write yet. */
export function openMeshFile(
  directory: string,
  describe: () => Readonly<Record<string, unknown>>,
): MeshFile {
  let isClosed = false;
  let turn: Promise<void> = Promise.resolve();

  function write(): Promise<void> {
    const written = turn.then(async () => {
      if (!isClosed) await writeMeshFile(directory, describe());
    });
    // The next turn does not care how this one went; its own caller does.
    turn = written.catch(() => undefined);
    return written;
  }

  return {
    write,
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await turn;
      await removeMeshFile(directory);
    },
  };
}
