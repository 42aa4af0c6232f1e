import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { filesOf } from "../../deploy/local/certificate-files.ts";
import { isAnswered, type ClientTls } from "../support/is-answered.ts";
import { createMeshTls } from "../support/mesh-tls.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";

type Shown = Omit<ClientTls, "ca">;

it("answers at every port of the services who shows the edge's certificate", async () => {
  const { directory } = meshUnderTest();
  const { cert, key } = filesOf(join(directory, "tls"), "edge");
  const edge = { cert: readFileSync(cert), key: readFileSync(key) };

  const ports = await askEveryPort(edge);

  expect(ports).toMatchObject({ "order gRPC": true, "order Connect": true });
  expect(Object.values(ports)).not.toContain(false);
});

it("refuses at every port of the services who shows no certificate", async () => {
  const ports = await askEveryPort({});

  expect(ports).toMatchObject({ "order gRPC": false, "order Connect": false });
  expect(Object.values(ports)).not.toContain(true);
});

it("refuses at every port of the services who shows the edge's name, signed by another authority", async () => {
  await using foreign = await createMeshTls([]);
  const { cert, key } = foreign.of("edge");

  const ports = await askEveryPort({ cert, key });

  expect(ports).toMatchObject({ "order gRPC": false, "order Connect": false });
  expect(Object.values(ports)).not.toContain(true);
});

/** Whether each answers, by service and protocol. */
async function askEveryPort(shown: Shown): Promise<Record<string, boolean>> {
  const { services, edge } = meshUnderTest();
  const ports = Object.entries(services).flatMap(
    ([name, { grpcPort, connectPort }]) => [
      { name: `${name} gRPC`, port: grpcPort },
      { name: `${name} Connect`, port: connectPort },
    ],
  );
  const asked = ports.map(async ({ name, port }) => {
    return [name, await isAnswered(port, { ...shown, ca: edge.ca })] as const;
  });
  return Object.fromEntries(await Promise.all(asked));
}
