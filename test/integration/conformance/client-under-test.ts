/**
 * The client that the suite tests: the transport by which services of the mesh call each other. Argument: the suite's
 * descriptor set.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { runCase } from "./run-case.ts";
import { readSuiteContracts } from "./suite-contracts.ts";
import type { ClientCompatRequest } from "./suite-messages.ts";
import { readMessages, writeMessage } from "./suite-pipe.ts";

const contracts = readSuiteContracts(process.argv[2] ?? "");
const answer = contracts.message("ClientCompatResponse");

/** The suite runs few servers, and each for many cases. */
const clients = new Map<string, Client>();
function clientOf({ host, port }: ClientCompatRequest): Client {
  const address = `${host}:${port}`;
  const known = clients.get(address);
  if (known) return known;
  const client = new Client(address, credentials.createInsecure());
  clients.set(address, client);
  return client;
}

// A few at a time: the suite measures what each call takes.
const atOnce = 8;
const running = new Set<Promise<void>>();
for await (const message of readMessages(
  contracts.message("ClientCompatRequest"),
)) {
  if (running.size >= atOnce) await Promise.race(running);
  // Read by that very descriptor.
  const done = run(message as ClientCompatRequest).finally(() =>
    running.delete(done),
  );
  running.add(done);
}
await Promise.all(running);
process.exit(0);

async function run(request: ClientCompatRequest): Promise<void> {
  const { testName } = request;
  const result = await runCase(contracts, clientOf(request), request).then(
    (value) => ({ case: "response" as const, value }),
    (error: unknown) => ({
      case: "error" as const,
      value: { message: String(error) },
    }),
  );
  // Made from a descriptor that is read at run time, which has no type.
  const message = { testName, result } as unknown as MessageInitShape<
    typeof answer
  >;
  writeMessage(answer, create(answer, message));
}
