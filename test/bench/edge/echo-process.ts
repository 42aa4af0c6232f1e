import { Server, ServerCredentials } from "@grpc/grpc-js";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { serveQuestions } from "../bench-child.ts";
import { DECIDE_PATH } from "./decision-requests.ts";
import { readGrpcOptions } from "./grpc-process.ts";

/** grpc-js with nothing around it: answers the bytes that it was sent. Answers each question with its port. */
const { tls } = readGrpcOptions(process.argv[2]);
const bytes = (value: Buffer) => value;
const server = new Server();
server.addService(
  {
    echo: {
      path: DECIDE_PATH,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  },
  {
    echo: (call: { request: Buffer }, callback: Callback) =>
      callback(null, call.request),
  },
);
type Callback = (error: null, answer: Buffer) => void;
const pair = {
  cert_chain: readFileSync(tls.cert),
  private_key: readFileSync(tls.key),
};
const credentials = ServerCredentials.createSsl(
  readFileSync(tls.ca),
  [pair],
  true,
);
const bind = promisify(server.bindAsync.bind(server));
const port = await bind("127.0.0.1:0", credentials);
serveQuestions(async () => ({ port }));
