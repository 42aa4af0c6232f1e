import { Server, ServerCredentials } from "@grpc/grpc-js";
import { promisify } from "node:util";
import { serveQuestions } from "../bench-child.ts";

/** A collector that takes traces and metrics over OTLP/gRPC and drops them; each question is answered with its port and
 * the bytes that came. */
let received = 0;
const server = new Server({ "grpc.max_receive_message_length": 64 << 20 });
for (const signal of ["trace.v1.TraceService", "metrics.v1.MetricsService"]) {
  const bytes = (message: Buffer) => message;
  const Export = {
    path: `/opentelemetry.proto.collector.${signal}/Export`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  server.addService(
    { Export },
    {
      Export(
        call: { request: Buffer },
        done: (error: null, response: Buffer) => void,
      ) {
        received += call.request.length;
        done(null, Buffer.alloc(0));
      },
    },
  );
}
const bind = promisify(server.bindAsync.bind(server));
const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
serveQuestions(async () => ({ port, received }));
