import { BinaryReader } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { startMesh } from "../../deploy/local/mesh.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { createKafkaBus } from "../../services/platform/events/kafka-bus.ts";
import { runDirectory } from "../integration/local/setup.ts";
import { startCollector } from "../integration/platform-runtime/collector.ts";
import { metricsOf, readAlertRules } from "../support/alert-rules.ts";
import { eventually } from "../support/eventually.ts";
import { silentLogger } from "../support/silent-logger.ts";

test(
  "a running mesh exports every metric that an alert rule names",
  { timeout: 300_000 },
  async () => {
    await using directory = await runDirectory();
    await using collector = await startCollector();
    await using mesh = await startMesh({
      directory: directory.path,
      edgePort: await freePort(),
      config: {
        ...readLocalConfig(),
        otlpMetricsUrl: collector.url,
      },
    });
    await using bus = createKafkaBus({
      brokers: mesh.components.kafka.brokers,
      clientId: "alerts test",
      logger: silentLogger,
    });
    const poison = {
      topic: "weft.order.v1",
      key: "poison",
      value: Buffer.from("no event"),
      headers: { "content-type": "text/plain" },
    };

    await bus.produce([poison]);

    const wanted = new Set(
      readAlertRules().flatMap(({ expr }) => metricsOf(expr)),
    );
    const missing = (): string[] => {
      const exported = collector.metrics.flatMap(prometheusNames);
      return [...wanted.difference(new Set(exported))];
    };
    await eventually(
      "all are exported",
      () => missing().length === 0,
      // The books are first compared within a minute and a half.
      150_000,
    ).catch(() => undefined);
    expect(missing()).toEqual([]);
  },
);

/** The names that Prometheus gives to the metrics of an OTLP request: see its "UnderscoreEscapingWithSuffixes". */
function prometheusNames(request: Buffer): string[] {
  return fieldsOf(request, 1)
    .flatMap((resource) => fieldsOf(resource, 2))
    .flatMap((scope) => fieldsOf(scope, 2))
    .map((metric) => {
      const text = (field: number): string =>
        Buffer.from(fieldsOf(metric, field)[0] ?? []).toString();
      const name = text(1).replaceAll(/[^a-zA-Z0-9]+/g, "_");
      const unit = UNITS[text(3)];
      const isCounter = fieldsOf(metric, 7).some(isMonotonic);
      return [name, unit, isCounter ? "total" : undefined]
        .filter((part) => part !== undefined && !name.endsWith(`_${part}`))
        .join("_");
    });
}

const UNITS: Readonly<Record<string, string>> = { s: "seconds", By: "bytes" };

function isMonotonic(sum: Uint8Array): boolean {
  const reader = new BinaryReader(sum);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 3) return reader.bool();
    reader.skip(wire, field);
  }
  return false;
}

/** The values of a length-delimited field. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === wanted && wire === 2) found.push(reader.bytes());
    else reader.skip(wire, field);
  }
  return found;
}
