import { Server, ServerCredentials } from "@grpc/grpc-js";
import { promisify } from "node:util";

/** An OTLP collector that keeps the requests that it is sent, by signal. */
export async function startCollector() {
  const traces: Buffer[] = [];
  const measured: Buffer[] = [];
  const server = new Server();
  const keep = (service: string, into: Buffer[]) => {
    const bytes = (message: Buffer) => message;
    const Export = {
      path: `/opentelemetry.proto.collector.${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    } as const;
    type Done = (error: null, response: Buffer) => void;
    server.addService(
      { Export },
      {
        Export(call: { request: Buffer }, done: Done) {
          into.push(call.request);
          done(null, Buffer.alloc(0));
        },
      },
    );
  };
  keep("trace.v1.TraceService", traces);
  keep("metrics.v1.MetricsService", measured);
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return {
    url: `http://127.0.0.1:${port}`,
    traces,
    metrics: measured,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}
