import {
  create,
  fromBinary,
  toBinary,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type handleUnaryCall,
} from "@grpc/grpc-js";
import { promisify } from "node:util";
import {
  GetOrderRequestSchema,
  GetOrderResponseSchema,
} from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import type { TlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import type { Peer } from "./peer.ts";
import { CLAIMS, ORDER_NAME, sampleOrder } from "./sample-order.ts";

type Request = MessageShape<typeof GetOrderRequestSchema>;
type Response = MessageShape<typeof GetOrderResponseSchema>;

const path = "/weft.order.v1.OrderService/GetOrder";
const encodeRequest = (request: Request) =>
  Buffer.from(toBinary(GetOrderRequestSchema, request));
const decodeRequest = (bytes: Buffer) =>
  fromBinary(GetOrderRequestSchema, bytes);
const encodeResponse = (response: Response) =>
  Buffer.from(toBinary(GetOrderResponseSchema, response));
const decodeResponse = (bytes: Buffer) =>
  fromBinary(GetOrderResponseSchema, bytes);

/** grpc-js with nothing around it. */
export const bareGrpcPeer: Peer = {
  async serve(tls, port) {
    const server = new Server();
    const getOrder: handleUnaryCall<Request, Response> = (call, callback) => {
      const order = sampleOrder(call.request.name);
      callback(null, create(GetOrderResponseSchema, { order }));
    };
    server.addService(
      {
        GetOrder: {
          path,
          requestStream: false,
          responseStream: false,
          requestSerialize: encodeRequest,
          requestDeserialize: decodeRequest,
          responseSerialize: encodeResponse,
          responseDeserialize: decodeResponse,
        },
      },
      { GetOrder: getOrder },
    );
    const bind = promisify(server.bindAsync.bind(server));
    return bind(`127.0.0.1:${port}`, serverCredentials(tls));
  },
  connect(address, tls, token) {
    const client = new Client(
      address,
      credentials.createSsl(tls.ca, tls.key, tls.cert),
      // Without a name grpc-js sends the host, and Node refuses an IP address there; the certificates hold this one.
      { "grpc.ssl_target_name_override": "localhost" },
    );
    return () =>
      new Promise<void>((resolve, reject) => {
        const metadata = new Metadata();
        metadata.set("x-weft-claims", CLAIMS);
        if (token) metadata.set("authorization", `Bearer ${token}`);
        client.makeUnaryRequest(
          path,
          encodeRequest,
          decodeResponse,
          create(GetOrderRequestSchema, { name: ORDER_NAME }),
          metadata,
          (error, response) => {
            if (response?.order?.lines.length === 2) resolve();
            else reject(error ?? new Error("not the whole order"));
          },
        );
      });
  },
};

function serverCredentials(tls: TlsFiles): ServerCredentials {
  const pair = { cert_chain: tls.cert, private_key: tls.key };
  return ServerCredentials.createSsl(tls.ca, [pair], true);
}
