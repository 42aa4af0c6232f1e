import { readFileSync } from "node:fs";
import { enumToJson } from "@bufbuild/protobuf";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckResponse_ServingStatusSchema as StatusSchema,
  type HealthCheckResponse,
} from "../../../gen/ts/health/v1/health_pb.ts";
import { plainDefinition } from "./plain-definition.ts";
import { port, readConfig, serviceSettings } from "../runtime/config.ts";

const DEADLINE_MS = 3_000;

/**
 * For the probes of containers: asks the service beside it (the same environment, the same machine) by
 * `grpc.health.v1.Health/Check`, as that service, and ends with 0 where it says SERVING. No probe of an orchestrator's own
 * speaks mutual TLS.
 */
const { WEFT_TLS_CA, WEFT_TLS_CERT, WEFT_TLS_KEY, WEFT_GRPC_PORT } = readConfig(
  { ...serviceSettings, WEFT_GRPC_PORT: port.min(1) },
  process.env,
);
const HealthClient = makeClientConstructor(
  plainDefinition(Health),
  Health.typeName,
);
const client = new HealthClient(
  `localhost:${WEFT_GRPC_PORT}`,
  credentials.createSsl(
    readFileSync(WEFT_TLS_CA),
    readFileSync(WEFT_TLS_KEY),
    readFileSync(WEFT_TLS_CERT),
  ),
);
client["check"]?.(
  { service: "" },
  { deadline: Date.now() + DEADLINE_MS },
  (error: Error | null, answer?: HealthCheckResponse) => {
    const said =
      error?.message ?? enumToJson(StatusSchema, answer?.status ?? 0);
    console.log(said);
    process.exit(said === "SERVING" ? 0 : 1);
  },
);
