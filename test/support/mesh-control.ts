import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";

/** What a test may do to the processes of the mesh, which runs in vitest's own process. */
export interface MeshControl {
  /** Stops and starts a service in an orderly way; resolves when it is ready again. */
  readonly restart: (service: string) => Promise<void>;
  /** SIGKILL; the supervisor is left to find out. */
  readonly kill: (service: string) => Promise<void>;
  /** The pids of the processes that run at this moment, by name. */
  readonly pids: () => Promise<Readonly<Record<string, number>>>;
}

const RESTART_DEADLINE_MS = 60_000;

/** Lets test workers control a mesh over HTTP on the loopback. */
export async function serveMeshControl(
  mesh: Mesh,
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    act(mesh, request).then(
      (answer) => response.end(JSON.stringify(answer)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The other end of `serveMeshControl`. */
export function meshControl(url: string): MeshControl {
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      signal: AbortSignal.timeout(RESTART_DEADLINE_MS),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  };
  return {
    restart: async (service) => void (await ask(`/restart/${service}`)),
    kill: async (service) => void (await ask(`/kill/${service}`)),
    // `act` answers with them.
    pids: async () => (await ask("/pids")) as Record<string, number>,
  };
}

async function act(mesh: Mesh, request: IncomingMessage): Promise<unknown> {
  const [, verb, service = ""] = (request.url ?? "").split("/");
  switch (verb) {
    case "restart":
      await mesh.restart(service);
      return {};
    case "kill":
      process.kill(pidOf(mesh, service), "SIGKILL");
      return {};
    case "pids":
      return mesh.pids();
    default:
      throw new Error(`the mesh can't ${verb}`);
  }
}

function pidOf(mesh: Mesh, service: string): number {
  const pid = mesh.pids()[service];
  if (pid === undefined) throw new Error(`${service} does not run`);
  return pid;
}
