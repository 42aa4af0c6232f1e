import { connect } from "node:net";
import type pg from "pg";

const CANCEL_REQUEST_CODE = 80_877_102;
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * Asks the server to stop what `client` is running, over a connection of its
 * own (PostgreSQL protocol, "Canceling Requests in Progress"). It travels as a
 * protocol message, not as `pg_cancel_backend`, because behind PgBouncer the
 * client knows only PgBouncer's key, and PgBouncer translates it.
 *
 * Best effort: resolves when the request is delivered or could not be. The
 * caller bounds how long it then waits for the query to end.
 */
export function cancelQuery(client: pg.ClientBase): Promise<void> {
  const { host, port, processID, secretKey } = backendKey(client);
  if (typeof processID !== "number" || typeof secretKey !== "number") {
    return Promise.resolve();
  }

  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);

  return new Promise((resolve) => {
    const socket = host.startsWith("/")
      ? connect(`${host}/.s.PGSQL.${port}`)
      : connect(port, host);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
    // The server closes when it is done: PgBouncer drops the request of a client that closes first.
    socket.on("connect", () => socket.write(request));
    socket.resume();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve());
  });
}

interface BackendKey {
  readonly host: string;
  readonly port: number;
  readonly processID: unknown;
  readonly secretKey: unknown;
}

function backendKey(client: pg.ClientBase): BackendKey {
  // pg keeps the BackendKeyData fields and the address on the client but does
  // not declare them; they are checked before use.
  return client as unknown as BackendKey;
}
