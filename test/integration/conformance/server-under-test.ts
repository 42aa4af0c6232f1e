/**
 * The server that the suite tests: the platform's grpc-js server for gRPC, its connect-node server for Connect and
 * gRPC-Web, without the middleware, whose errors are weft's own. Argument: the suite's descriptor set.
 */
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { createConnectServer } from "../../../services/platform/rpc/connect-mount.ts";
import { mountGrpc } from "../../../services/platform/rpc/grpc-mount.ts";
import { createOpenCalls } from "../../../services/platform/rpc/open-calls.ts";
import type { TlsFiles } from "../../../services/platform/runtime/config.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { forwardToMesh } from "./forward.ts";
import { readSuiteContracts, type SuiteContracts } from "./suite-contracts.ts";
import type { ServerCompatRequest } from "./suite-messages.ts";
import { readMessages, writeMessage } from "./suite-pipe.ts";
import { suiteService } from "./suite-service.ts";

const GRPC = 2;

const contracts = readSuiteContracts(process.argv[2] ?? "");
const tls = await createMeshTls(["conformance"]);
for await (const message of readMessages(
  contracts.message("ServerCompatRequest"),
)) {
  // Read by that very descriptor.
  const { protocol } = message as ServerCompatRequest;
  const port =
    protocol === GRPC
      ? await serveGrpc(contracts, tls.of("conformance"))
      : await serveConnect(contracts, tls.of("conformance"));
  const response = contracts.message("ServerCompatResponse");
  writeMessage(
    response,
    create(response, {
      host: "127.0.0.1",
      port: await forwardToMesh(port, tls.of("edge")),
    }),
  );
}
// The suite closes our input at once, and ends the server by a signal.
const stopped = new Promise((resolve) => process.once("SIGTERM", resolve));
const kept = setInterval(() => {}, 60_000);
await stopped;
clearInterval(kept);
await tls[Symbol.asyncDispose]();
process.exit(0);

async function serveGrpc(
  { service }: SuiteContracts,
  { ca, cert, key }: TlsFiles,
): Promise<number> {
  const server = new Server();
  const draining = new AbortController().signal;
  mountGrpc(
    server,
    service,
    suiteService(contracts),
    draining,
    createOpenCalls(),
  );
  const pair = { cert_chain: cert, private_key: key };
  return promisify(server.bindAsync.bind(server))(
    "127.0.0.1:0",
    ServerCredentials.createSsl(ca, [pair], true),
  );
}

async function serveConnect(
  { service }: SuiteContracts,
  files: TlsFiles,
): Promise<number> {
  const { server } = createConnectServer({
    tls: files,
    routes: (router) => router.service(service, suiteService(contracts)),
    registry: contracts.registry,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a TCP port has an AddressInfo.
  return (server.address() as AddressInfo).port;
}
