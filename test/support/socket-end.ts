import type { Socket } from "node:net";

/** When the other side has ended a connection, by a word or without one. */
export function socketEnd(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => resolve());
    socket.resume();
  });
}
