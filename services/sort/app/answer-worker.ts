import type { Files, Owner } from "../clients/files.ts";
import type { SortJob } from "../domain/sort-job.ts";
import { specInvalid } from "../domain/sort-refusals.ts";
import type { Ask } from "../domain/work-order.ts";

/** Answers what the process of a job asks: URLs, signed or given, and the file that it makes. */
export interface Answers {
  answer(ask: Ask): Promise<unknown>;
  /** Gives up the file that was begun and not completed, if there is one: its parts take room until they are swept. */
  giveUp(): Promise<void>;
}

export function answerWorker(
  deps: { readonly files: Files | undefined },
  job: SortJob,
): Answers {
  const owner: Owner = { tenant: job.tenant, subject: job.owner };
  const { inputs, output } = job.plan;
  const files = (): Files => {
    if (!deps.files) {
      throw specInvalid("job", "there is no Files service here");
    }
    return deps.files;
  };
  let begunFile = "";
  const answer = async (ask: Ask): Promise<unknown> => {
    switch (ask.what) {
      case "input-url": {
        const input = inputs[ask.input];
        if (input?.kind === "file") {
          return files().signDownload(owner, input.file);
        }
        return { url: input?.kind === "url" ? input.url : "", headers: {} };
      }
      case "output-url":
        return { url: output?.kind === "url" ? output.url : "", headers: {} };
      case "begin-file": {
        if (output?.kind !== "new-file") throw new Error("no file is wanted");
        const { displayName, contentType } = output;
        const { sizeBytes } = ask;
        const begun = await files().begin(owner, job.id, {
          displayName,
          contentType,
          sizeBytes,
        });
        if (!begun.isComplete) begunFile = begun.file;
        return begun;
      }
      case "sign-parts":
        return files().signParts(owner, begunFile, ask.partNumbers);
      case "complete-file":
        return files().complete(owner, begunFile, ask.parts);
    }
  };
  return {
    answer,
    async giveUp() {
      if (begunFile !== "") await files().abort(owner, begunFile);
    },
  };
}
