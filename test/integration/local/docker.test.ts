import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";
import { startContainer } from "../../../deploy/local/docker.ts";
import { runDirectory } from "./setup.ts";

test("a container's ports are opened to this machine alone", async () => {
  await using directory = await runDirectory();
  const asked = await engineThatRefuses(join(directory.path, "docker.sock"));

  const start = startContainer(
    {
      name: "redis",
      image: "redis:7-alpine",
      version: "7",
      address: "127.0.0.1:20001",
      ports: { 6379: 20_001 },
    },
    { directory: directory.path },
  );

  await expect(start).rejects.toThrow("no container today");
  // The library may have asked for a container of its own before.
  expect(asked.at(-1)).toMatchObject({
    HostConfig: {
      PortBindings: {
        "6379/tcp": [{ HostPort: "20001", HostIp: "127.0.0.1" }],
      },
    },
  });
});

/** A Docker engine that has every image, and makes no container; returns what it was asked to make. */
async function engineThatRefuses(socket: string): Promise<unknown[]> {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify(body));
    if (!request.url?.includes("/containers/create")) {
      request.resume();
      answer(200, request.url?.includes("/containers/json") ? [] : {});
      return;
    }
    void json(request).then((body) => {
      asked.push(body);
      answer(500, { message: "no container today" });
    });
  });
  server.listen(socket);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  vi.stubEnv("DOCKER_HOST", `unix://${socket}`);
  // The reaper would be a container too.
  vi.stubEnv("TESTCONTAINERS_RYUK_DISABLED", "true");
  onTestFinished(() => void vi.unstubAllEnvs());
  return asked;
}
