import { once } from "node:events";
import {
  connect,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { collectStreamsYoung } from "../../../services/ratelimit/rpc/collect-streams-young.ts";
import { StreamList } from "../../../services/ratelimit/rpc/stream-list.ts";
import { StreamTable } from "../../../services/ratelimit/rpc/stream-table.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

test("both sides of a connection hold their streams in tables of ours", async () => {
  const { client, serverSession, get } = await setup();

  expect(await get()).toBe("hello");

  const server = await serverSession;
  for (const session of [client, server]) {
    expect(stateOf(session)?.streams).toBeInstanceOf(StreamTable);
    expect(stateOf(session)?.pendingStreams).toBeInstanceOf(StreamList);
  }
});

test("streams that ended are in no table, and a closed session ends those that did not", async () => {
  const { client, serverSession, get, leaveOpen } = await setup();
  await Promise.all([get(), get(), get()]);
  const server = await serverSession;
  await expect.poll(() => stateOf(server)?.streams.size).toBe(0);
  const open = await leaveOpen();
  expect(stateOf(server)?.streams.size).toBe(1);

  const ended = once(open, "close");
  server.destroy();
  await ended;

  await expect.poll(() => stateOf(client)?.streams.size).toBe(0);
});

async function setup() {
  collectStreamsYoung();
  const server = createServer();
  server.on(
    "stream",
    (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.respond({ ":status": 200 });
      if (headers[":path"] === "/open") stream.write("hel");
      else stream.end("hello");
    },
  );
  const serverSession = once(server, "session").then(
    ([session]) => session as Http2Session,
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(`http://127.0.0.1:${port}`);
  client.on("error", () => undefined);
  cleanups.push(() => {
    client.destroy();
    server.close();
  });

  const get = async () => {
    const request = client.request({ ":path": "/" });
    let text = "";
    for await (const chunk of request.setEncoding("utf8"))
      text += String(chunk);
    return text;
  };
  const leaveOpen = async () => {
    const request = client.request({ ":path": "/open" });
    request.on("error", () => undefined);
    await once(request, "data");
    return request;
  };
  return { client, serverSession, get, leaveOpen };
}

/** Where Node keeps them; a Node that keeps them elsewhere fails here, and is only slower elsewhere. */
function stateOf(session: Http2Session): SessionState | undefined {
  const key = Object.getOwnPropertySymbols(session).find(
    ({ description }) => description === "state",
  );
  const state: unknown = key && Reflect.get(session, key);
  return state as SessionState | undefined;
}

interface SessionState {
  readonly streams: StreamTable<unknown>;
  readonly pendingStreams: StreamList<object>;
}
