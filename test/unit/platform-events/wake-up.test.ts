import { describe, expect, it } from "vitest";
import { createWakeUp } from "../../../services/platform/events/wake-up.ts";

const never = new AbortController().signal;

describe("a wake-up", () => {
  it("ends a wait when rung", async () => {
    const bell = createWakeUp();
    const waiting = bell.wait(60_000, never);

    bell.ring();

    expect(await waiting).toBe(true);
  });

  it("keeps a ring that comes before the wait, and counts many as one", async () => {
    const bell = createWakeUp();
    bell.ring();
    bell.ring();

    expect(await bell.wait(60_000, never)).toBe(true);
    expect(await bell.wait(1, never)).toBe(false);
  });

  it("ends after its time", async () => {
    expect(await createWakeUp().wait(1, never)).toBe(false);
  });

  it("ends on an abort, before and during the wait", async () => {
    const bell = createWakeUp();
    const abort = new AbortController();
    const waiting = bell.wait(60_000, abort.signal);

    abort.abort();

    expect(await waiting).toBe(false);
    expect(await bell.wait(60_000, abort.signal)).toBe(false);
  });
});
