import { Server, ServerCredentials } from "@grpc/grpc-js";
import { promisify } from "node:util";

export interface Collector extends AsyncDisposable {
  readonly port: number;
  /** What arrived so far, as raw OTLP requests; their strings can be searched. */
  readonly traces: Buffer[];
  readonly logs: Buffer[];
}

/** An OTLP/gRPC collector that keeps what it is sent. */
export async function startCollector(): Promise<Collector> {
  const traces: Buffer[] = [];
  const logs: Buffer[] = [];
  const server = new Server();
  keep(
    server,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    traces,
  );
  keep(
    server,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    logs,
  );
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return {
    port,
    traces,
    logs,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

function keep(server: Server, path: string, into: Buffer[]): void {
  const bytes = (message: Buffer) => message;
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  server.addService(
    { Export: definition },
    {
      Export(
        call: { request: Buffer },
        done: (error: null, response: Buffer) => void,
      ) {
        into.push(call.request);
        done(null, Buffer.alloc(0));
      },
    },
  );
}
