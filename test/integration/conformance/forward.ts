import {
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { connect as connectTls } from "node:tls";
import type { TlsFiles } from "../../../services/platform/runtime/config.ts";

/**
 * Takes plain HTTP/2 and passes its bytes on to a server of the mesh over mutual TLS, as the edge: the suite's client knows
 * no mesh identity. Answers with the port it listens on.
 */
export function forwardToMesh(port: number, tls: TlsFiles): Promise<number> {
  const server = createServer((socket) => {
    const inner = connectTls({
      ...tls,
      port,
      host: "127.0.0.1",
      ALPNProtocols: ["h2"],
      // The certificate names a service of the mesh, not an address.
      checkServerIdentity: () => undefined,
    });
    join(socket, inner);
  });
  return listen(server);
}

function join(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
  const end = () => {
    one.destroy();
    other.destroy();
  };
  for (const socket of [one, other]) {
    socket.setNoDelay(true);
    socket.on("error", end);
    socket.on("close", end);
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  // A server that listens on a TCP port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}
