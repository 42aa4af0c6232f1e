import { expect, test } from "vitest";
import { startLocalComponent } from "../../../deploy/local/component.ts";
import { runDirectory } from "./setup.ts";

test("a component that does not tell its version is stopped again", async () => {
  await using directory = await runDirectory();

  const start = startLocalComponent({
    process: {
      name: "mute",
      directory: directory.path,
      command: "sh",
      args: ["-c", `sleep 600; # ${directory.path}`],
    },
    version: () => Promise.reject(new Error("no answer")),
    address: "nowhere",
    probe: () => true,
    deadlineMs: 5_000,
    signal: undefined,
  });

  await expect(start).rejects.toThrow("no answer");
  expect(await directory.processes()).toEqual([]);
});
