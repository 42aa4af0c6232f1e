import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { JournalEntry } from "../../../deploy/local/payment-provider/journal.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import {
  startProcess,
  type RunningProcess,
} from "../../../deploy/local/process.ts";
import { waitReady } from "../../../deploy/local/component.ts";

const MAIN = fileURLToPath(
  new URL("../../../deploy/local/payment-provider/main.ts", import.meta.url),
);

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
  // The tests know what they asked for; a wrong guess fails their assertions.
  readonly json: ProviderJson;
}

export interface ProviderJson {
  readonly id: string;
  readonly status: string;
  readonly amount: number;
  readonly amount_received: number;
  readonly amount_refunded: number;
  readonly data: readonly ProviderJson[];
  readonly error: {
    readonly type: string;
    readonly code: string;
    readonly decline_code?: string;
    readonly param?: string;
  };
}

export interface ProviderProcess {
  readonly url: string;
  readonly journalFile: string;
  post(
    path: string,
    form: Readonly<Record<string, string>>,
    options?: { key?: string; signal?: AbortSignal },
  ): Promise<Reply>;
  get(path: string): Promise<Reply>;
  /** What really happened, oldest first. */
  log(): Promise<JournalEntry[]>;
  /** SIGKILL, and a new process on the same port and data; `meanwhile` runs in between. */
  crash(meanwhile?: () => Promise<void>): Promise<void>;
}

/** The real provider, as a process of its own, for one test. */
export async function setupProvider(
  options: { lateMs?: number; webhookCaFile?: string } = {},
): Promise<ProviderProcess> {
  const directory = await mkdtemp(join(tmpdir(), "weft-provider-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { lateMs = 8_000, webhookCaFile } = options;
  const env = {
    PORT: String(port),
    DATA_DIR: directory,
    LATE_MS: String(lateMs),
    ...(webhookCaFile === undefined ? {} : { WEBHOOK_CA_FILE: webhookCaFile }),
  };
  const start = () => startProvider(directory, port, env);
  let running = await start();
  onTestFinished(async () => {
    await running.stop();
    await rm(directory, { recursive: true });
  });

  const get = async (path: string) => toReply(await fetch(url + path));
  return {
    url,
    get,
    journalFile: join(directory, "journal.ndjson"),
    post: (path, form, { key, signal = AbortSignal.timeout(10_000) } = {}) =>
      post(url + path, form, key, signal),
    async log() {
      const { text } = await get("/log");
      // The provider writes nothing but entries.
      return lines(text).map((line) => JSON.parse(line) as JournalEntry);
    },
    async crash(meanwhile) {
      process.kill(running.pid, "SIGKILL");
      await running.exited;
      await meanwhile?.();
      running = await start();
    },
  };
}

/** A hold of 10.00 euros by this token. */
export function holdForm(token: string): Record<string, string> {
  return {
    amount: "1000",
    currency: "eur",
    payment_method: token,
    capture_method: "manual",
    confirm: "true",
    "metadata[payment_id]": `payment-of-${token}`,
  };
}

/** Cuts the last line of a file short, as a crash in the middle of a write does. */
export async function tearLastLine(file: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, text.slice(0, -20));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

async function startProvider(
  directory: string,
  port: number,
  env: Readonly<Record<string, string>>,
): Promise<RunningProcess> {
  const running = await startProcess({
    name: "payment-provider",
    directory,
    command: process.execPath,
    args: [MAIN],
    env,
  });
  await waitReady(
    running,
    async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok,
    { deadlineMs: 15_000 },
  );
  return running;
}

async function post(
  url: string,
  form: Readonly<Record<string, string>>,
  key: string | undefined,
  signal: AbortSignal,
): Promise<Reply> {
  const response = await fetch(url, {
    method: "POST",
    body: new URLSearchParams(form),
    headers: key === undefined ? {} : { "idempotency-key": key },
    signal,
  });
  return toReply(response);
}

async function toReply(response: Response): Promise<Reply> {
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    status: response.status,
    text,
    replayed: response.headers.get("idempotent-replayed") === "true",
    json: isJson ? JSON.parse(text) : undefined,
  };
}
