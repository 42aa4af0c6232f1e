import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { ALLOCATOR_SETTINGS } from "../../../deploy/local/allocator.ts";
import { MESH_SERVICES } from "../../../deploy/local/mesh-services.ts";
import * as versions from "../../../deploy/local/versions.ts";

const read = (path: string) =>
  readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

const container = z.object({
  image: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.unknown()).default([]),
  restart: z.string(),
  depends_on: z
    .record(z.string(), z.object({ condition: z.string() }))
    .default({}),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
});
const { services } = z
  .object({ services: z.record(z.string(), container) })
  .parse(parse(read("deploy/compose.yaml"), { merge: true }));
const of = (name: string) => container.parse(services[name]);

test.each([
  ["postgres", versions.postgres.image],
  ["kafka", versions.kafka.image],
  ["redis", versions.redis.image],
  ["object-store", versions.objectStore.image],
  ["jaeger", versions.jaeger.image],
  ["edge", versions.envoy.image],
])("runs the %s that a mesh without containers runs", (name, image) => {
  expect(of(name).image).toBe(image);
});

test("gives components the settings that they have without containers", () => {
  expect(flagsOf(of("postgres").command.slice(1), "-c")).toEqual(
    Object.entries(versions.postgres.settings).map(([k, v]) => `${k}=${v}`),
  );
  expect(of("kafka").environment).toMatchObject(
    Object.fromEntries(
      Object.entries(versions.kafka.settings).map(([name, value]) => [
        `KAFKA_${name.toUpperCase().replaceAll(".", "_")}`,
        value,
      ]),
    ),
  );
  expect(of("redis").command.slice(1)).toEqual(
    Object.entries(versions.redis.settings).flatMap(([k, v]) => [`--${k}`, v]),
  );
  expect(of("jaeger").command).toEqual(
    Object.entries(versions.jaeger.settings).map(([k, v]) => `--${k}=${v}`),
  );
  const { accessKeyId, region } = versions.objectStore;
  expect(of("object-store").environment).toMatchObject({
    ROOT_ACCESS_KEY: accessKeyId,
    VGW_REGION: region,
  });
});

test.each(MESH_SERVICES.map(({ name }) => name))(
  "runs %s with its own environment and asks it how it is",
  (name) => {
    const environment = `--env-file=/var/lib/weft/env/${name}`;
    expect(of(name).command).toEqual([environment, `services/${name}/main.ts`]);
    expect(of(name).healthcheck?.test).toEqual([
      "CMD",
      "node",
      environment,
      "services/platform/rpc/check-health.ts",
    ]);
  },
);

test("mounts the user's configuration where its files are read", () => {
  const config = {
    type: "bind",
    source: "${WEFT_CONFIG_FOLDER:-./compose/config}",
    target: "/etc/weft",
    read_only: true,
  };

  for (const name of ["prepare", "ratelimit", "edge"]) {
    const state = name === "edge" ? "/var/lib/weft:ro" : "/var/lib/weft";
    expect(of(name).volumes, name).toEqual([`state:${state}`, config]);
  }
});

test("tells `prepare` what the bootstrap is made of, and makes the edge anew where that changes", () => {
  const settings = {
    WEFT_ISSUERS_FILE: "${WEFT_ISSUERS_FILE:-}",
    WEFT_DEVELOPMENT_ISSUER: "${WEFT_DEVELOPMENT_ISSUER:-on}",
    WEFT_RATE_LIMITS_FILE: "${WEFT_RATE_LIMITS_FILE:-}",
    WEFT_CORS_ORIGINS: "${WEFT_CORS_ORIGINS:-}",
    WEFT_CORS_LOCALHOST: "${WEFT_CORS_LOCALHOST:-on}",
    WEFT_STRICT_TRANSPORT_SECONDS: "${WEFT_STRICT_TRANSPORT_SECONDS:-0}",
  };

  expect(of("prepare").environment).toMatchObject(settings);
  expect(of("edge").environment).toMatchObject(settings);
  expect(of("ratelimit").environment).toEqual({
    WEFT_RATE_LIMITS_FILE: settings.WEFT_RATE_LIMITS_FILE,
  });
});

test("lets what is ours or faces clients write to its volume only, and do nothing that root may", () => {
  const image = "${WEFT_IMAGE:-weft}";
  const exposed = Object.entries(services).filter(
    ([name, each]) => each.image === image || name === "edge",
  );
  expect(exposed.length).toBe(MESH_SERVICES.length + 5);
  for (const [name, each] of exposed) {
    expect(each, name).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  }
});

test("opens ports to this machine alone", () => {
  const ports = Object.values(services).flatMap((each) => each.ports);
  expect(ports.length).toBe(4);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test("waits for what ends by itself: to `up --wait` it would be a service that has died", () => {
  const awaited = Object.values(services).flatMap(({ depends_on }) =>
    Object.entries(depends_on).flatMap(([name, { condition }]) =>
      condition === "service_completed_successfully" ? [name] : [],
    ),
  );

  const ending = Object.entries(services).filter(([, { restart }]) =>
    restart.startsWith("on-failure"),
  );

  expect(ending.map(([name]) => name)).toEqual(["prepare", "webhooks"]);
  for (const [name] of ending) expect(awaited).toContain(name);
});

test("builds on the Node that the project pins", () => {
  const { dependencies } = z
    .object({ dependencies: z.object({ node: z.string() }) })
    .parse(JSON.parse(read("package.json")));
  expect(read("deploy/Dockerfile")).toContain(
    `ARG NODE_IMAGE=node:${dependencies.node}-bookworm-slim`,
  );
});

test("gives processes the allocator that they have without containers", () => {
  for (const [name, value] of Object.entries(ALLOCATOR_SETTINGS))
    expect(read("deploy/Dockerfile")).toContain(`${name}=${value}`);
});

function flagsOf(args: readonly string[], flag: string): string[] {
  return args.filter((arg, index) => {
    if (index % 2 === 0) expect(arg).toBe(flag);
    return index % 2 === 1;
  });
}
