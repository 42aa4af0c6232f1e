import { connectivityState, type Client } from "@grpc/grpc-js";
import type { Logger } from "../runtime/logger.ts";

/**
 * Logs each change of a channel's connection for the worse or back: calls wait for the connection, so without these lines
 * a callee that can't be reached shows as nothing but DEADLINE_EXCEEDED. Ends when the channel closes.
 */
export function logConnectivity(
  deps: { readonly logger: Logger },
  client: Client,
  labels: { readonly callee: string; readonly address: string },
): void {
  const channel = client.getChannel();
  let reachable: boolean | undefined;
  const tell = (state: connectivityState) => {
    if (state === connectivityState.READY && reachable !== true) {
      reachable = true;
      deps.logger.info(labels, "the callee is connected");
    } else if (
      state === connectivityState.TRANSIENT_FAILURE &&
      reachable !== false
    ) {
      reachable = false;
      deps.logger.warn(labels, "the callee can't be reached");
    }
  };
  const watch = (state: connectivityState) => {
    tell(state);
    if (state !== connectivityState.SHUTDOWN) {
      channel.watchConnectivityState(state, Infinity, () =>
        watch(channel.getConnectivityState(false)),
      );
    }
  };
  watch(channel.getConnectivityState(false));
}
