import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { expect, test } from "vitest";
import { MeshAlreadyRunning } from "../../../deploy/local/mesh-directory.ts";
import { startMesh } from "../../../deploy/local/mesh.ts";
import { waitUntil } from "../../../deploy/local/wait.ts";
import { isAlive, runDirectory } from "./setup.ts";

const TIMEOUT_MS = 300_000;
const ROOT = join(import.meta.dirname, "..", "..", "..");
/** The mesh without its services: those have tests of their own. */
const BARE = { services: [], components: ["redis"], edgePort: false } as const;

test(
  "writes where everything is, for its owner only, and forgets it at a stop",
  async () => {
    await using directory = await runDirectory();
    const mesh = await startMesh({ ...BARE, directory: directory.path });
    const file = join(directory.path, "mesh.json");

    const written = JSON.parse(await readFile(file, "utf8"));
    const { mode } = await stat(file);
    const postgres = mesh.components.postgres.pid;
    await mesh.stop();

    expect(written).toMatchObject({
      caFile: join(directory.path, "tls", "ca.pem"),
      postgresUrl: mesh.components.postgres.url,
      kafkaBrokers: mesh.components.kafka.brokers,
      redisUrl: mesh.components.redis?.url,
      pid: process.pid,
      pids: { postgres },
    });
    expect(mode & 0o777).toBe(0o600);
    await expect(stat(file)).rejects.toThrow("ENOENT");
    expect(await directory.processes()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "refuses a second mesh in the same directory with the pid of the first",
  async () => {
    await using directory = await runDirectory();
    await using _first = await startMesh({
      ...BARE,
      directory: directory.path,
    });

    const second = startMesh({ ...BARE, directory: directory.path });

    await expect(second).rejects.toThrow(MeshAlreadyRunning);
    await expect(second).rejects.toThrow(`(pid ${process.pid})`);
  },
  TIMEOUT_MS,
);

test(
  "runs beside another mesh",
  async () => {
    await using one = await runDirectory();
    await using two = await runDirectory();

    const meshes = await Promise.all(
      [one, two].map(({ path }) => startMesh({ ...BARE, directory: path })),
    );

    const addresses = meshes.flatMap(({ parts }) =>
      parts.map((p) => p.address),
    );
    expect(new Set(addresses).size).toBe(addresses.length);
    await Promise.all(meshes.map((mesh) => mesh.stop()));
  },
  TIMEOUT_MS,
);

test(
  "stops what had started when a later part can't start",
  async () => {
    await using directory = await runDirectory();
    const lines: string[] = [];
    const controller = new AbortController();

    const start = startMesh({
      ...BARE,
      directory: directory.path,
      signal: controller.signal,
      onProgress(line) {
        lines.push(line);
        if (line.startsWith("starting payment-provider")) controller.abort();
      },
    });

    await expect(start).rejects.toThrow("aborted");
    expect(await directory.processes()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "leaves no process after SIGKILL, and starts again in the same directory",
  async () => {
    await using directory = await runDirectory();
    await using owner = await startInAnotherProcess(directory.path);
    const { pids } = JSON.parse(
      await readFile(join(directory.path, "mesh.json"), "utf8"),
    );
    const children = Object.values<number>(pids);
    const aliveBefore = children.filter(isAlive).length;

    await owner.kill();
    await using mesh = await startMesh({ ...BARE, directory: directory.path });

    expect(aliveBefore).toBe(4);
    await waitUntil(() => !children.some(isAlive), {
      what: "every process of the killed run to be gone",
      deadlineMs: 10_000,
    });
    expect(Object.values(mesh.pids()).every(isAlive)).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  "starts Postgres, Kafka and Redis again when they are killed, on their ports and with their data",
  async () => {
    await using directory = await runDirectory();
    const lines: string[] = [];
    await using mesh = await startMesh({
      ...BARE,
      directory: directory.path,
      onProgress: (line) => lines.push(line),
    });
    const { url } = mesh.components.postgres;
    await query(url, "create table kept as select 7 as answer");
    const killed = ["postgres", "kafka", "redis"] as const;
    const before = mesh.pids();

    for (const name of killed) process.kill(pidOf(before, name), "SIGKILL");
    await waitUntil(
      () => killed.every((name) => lines.includes(`${name}: ready again`)),
      { what: "all three to be ready again", deadlineMs: 120_000 },
    );

    const after = mesh.pids();
    for (const name of killed) {
      expect(after[name]).not.toBe(before[name]);
      expect(isAlive(pidOf(after, name))).toBe(true);
      expect(lines).toContainEqual(
        expect.stringMatching(
          `^${name}: ended by itself \\(SIGKILL\\); starting it again in \\d+ ms$`,
        ),
      );
    }
    expect(await query(url, "select answer from kept")).toEqual([
      { answer: 7 },
    ]);
    await mesh.stop();
    expect(await directory.processes()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "keeps the pids that it has written those of now, whatever ends and starts again",
  async () => {
    await using directory = await runDirectory();
    await using mesh = await startMesh({ ...BARE, directory: directory.path });
    const before = mesh.pids();
    const written = async (): Promise<Record<string, number>> => {
      const file = join(directory.path, "mesh.json");
      return JSON.parse(await readFile(file, "utf8")).pids;
    };

    for (const name of ["redis", "payment-provider"]) {
      process.kill(pidOf(before, name), "SIGKILL");
      await waitUntil(async () => (await written())[name] !== before[name], {
        what: `the pid of ${name}, which was killed, to be gone`,
        deadlineMs: 60_000,
      });
      await waitUntil(async () => isAlive(pidOf(await written(), name)), {
        what: `the new pid of ${name}`,
        deadlineMs: 60_000,
      });
    }
    const revived = await written();
    await mesh.restart("payment-provider");
    const restarted = await written();

    expect(Object.keys(revived).sort()).toEqual(Object.keys(before).sort());
    expect(restarted["payment-provider"]).not.toBe(revived["payment-provider"]);
    expect(restarted).toEqual(mesh.pids());
    expect(Object.values(restarted).every(isAlive)).toBe(true);
  },
  TIMEOUT_MS,
);

function pidOf(pids: Readonly<Record<string, number>>, name: string): number {
  const pid = pids[name];
  if (pid === undefined) throw new Error(`${name} does not run`);
  return pid;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test(
  "forgets earlier runs with fresh",
  async () => {
    await using directory = await runDirectory();
    const first = await startMesh({ ...BARE, directory: directory.path });
    const authority = await readFile(first.caFile, "utf8");
    await first.stop();

    await using second = await startMesh({
      ...BARE,
      directory: directory.path,
      fresh: true,
    });

    expect(await readFile(second.caFile, "utf8")).not.toBe(authority);
  },
  TIMEOUT_MS,
);

async function startInAnotherProcess(
  directory: string,
): Promise<{ kill: () => Promise<void> } & AsyncDisposable> {
  const file = join(directory, "owner.ts");
  const module = join(ROOT, "deploy", "local", "mesh.ts");
  await writeFile(
    file,
    `import { startMesh } from ${JSON.stringify(module)};
     await startMesh(${JSON.stringify({ ...BARE, directory })});
     console.log("ready");`,
  );
  const owner = spawn(process.execPath, [file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(owner, "exit");
  await once(createInterface({ input: owner.stdout }), "line");
  const kill = async () => {
    owner.kill("SIGKILL");
    await exited;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}
