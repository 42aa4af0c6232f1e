import type { StatusObject } from "@grpc/grpc-js";

interface SendsStatus {
  sendStatus(status: Partial<StatusObject>): void;
}

const quiet = new WeakSet<object>();

/**
 * Keeps grpc-js from saying `grpc-message: OK` in the trailers of every success: the message is for failures (gRPC over
 * HTTP/2), and the official conformance suite counts it as a fault. grpc-js has no option for it, so the class of its calls
 * is changed, once.
 */
export function quietSuccess(call: SendsStatus): void {
  // The class that has the method, whichever it is: its name is not exported.
  const kind = Object.getPrototypeOf(call) as SendsStatus;
  if (quiet.has(kind)) {
    return;
  }
  quiet.add(kind);
  const { sendStatus } = kind;
  kind.sendStatus = function (this: SendsStatus, status) {
    sendStatus.call(
      this,
      status.code === 0 ? { ...status, details: "" } : status,
    );
  };
}
