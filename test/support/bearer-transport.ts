import type { Transport } from "@connectrpc/connect";
import type { EdgeAddress } from "./mesh-under-test.ts";

/** Calls with the token of the address, but where a call brings its own. */
export function withBearer(
  transport: Transport,
  { token }: EdgeAddress,
): Transport {
  if (token === undefined) return transport;
  const authorized = (header: Parameters<Transport["unary"]>[3]) => {
    const headers = new Headers(header);
    if (!headers.has("authorization")) {
      headers.set("authorization", `Bearer ${token}`);
    }
    return headers;
  };
  return {
    unary: (method, signal, timeoutMs, header, input, contextValues) =>
      transport.unary(
        method,
        signal,
        timeoutMs,
        authorized(header),
        input,
        contextValues,
      ),
    stream: (method, signal, timeoutMs, header, input, contextValues) =>
      transport.stream(
        method,
        signal,
        timeoutMs,
        authorized(header),
        input,
        contextValues,
      ),
  };
}
