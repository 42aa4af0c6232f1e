import type { MemoryUse } from "./mesh-memory.ts";
import type { Mesh } from "./mesh-handle.ts";

export const HELP = `Starts weft on this machine: its components, its services and the edge, then a demo.

  npm start                 start, run the demo, and stay until Ctrl-C
  npm start -- --once       start, run the demo, stop; exits with the demo's status
  npm start -- --fresh      forget the data of earlier runs first
  npm start -- --open       ask nobody for a token: every caller may do everything
  npm start -- --spark      with a Spark for sort jobs past one machine (480 MB, installed at its first start)
  npm start -- --directory <folder>
                            keep the run there rather than in .weft
  npm start -- --edge-port <port>
                            the edge's port; 8443, where it is free, when left out
  npm start -- --help       this text

A component comes from the environment (WEFT_POSTGRES_URL, WEFT_KAFKA_BROKERS,
WEFT_REDIS_URL, WEFT_S3_URL, WEFT_SPARK_REMOTE, WEFT_JAEGER_OTLP_URL with WEFT_JAEGER_QUERY_URL),
else from Docker where an engine answers (WEFT_DOCKER=off leaves it alone), else
as a local process, installed once in the user's cache folder.
WEFT_ISSUERS_FILE names issuers of your own whose tokens the edge takes too, WEFT_CORS_ORIGINS the
origins of browser clients (a comma list) besides this machine's own.`;

/** The table of what runs where, the warning, and the memory. */
export function describeParts(mesh: Mesh, memory: MemoryUse): string {
  const header = [
    "component",
    "version",
    "source",
    "start",
    "memory",
    "address",
  ];
  const rows = mesh.parts.map((part) => {
    return [
      part.name,
      part.version,
      part.source,
      `${part.seconds.toFixed(1)} s`,
      inMegabytes(memory.byName[part.name]),
      part.address,
    ];
  });
  return [
    "",
    ...table([header, ...rows]),
    "",
    `  memory, idle: ${inMegabytes(memory.totalMegabytes)} in all, pages that processes share counted once (npm start itself: ${inMegabytes(memory.byName["start"])})`,
    "",
    ...(mesh.issuer ? [] : OPEN_MODE_WARNING),
    "",
  ].join("\n");
}

/** What a person does next with a mesh that runs. */
export function describeNextSteps(mesh: Mesh): string {
  const { edge, components, directory, issuer } = mesh;
  return [
    "",
    "Next:",
    ...(edge ? [`  the edge          ${edge.url}`] : []),
    `  its authority     ${mesh.caFile}`,
    ...(issuer
      ? [
          `  its tokens        ${issuer.demoTokenFile} (user demo), or npm run --silent token -- --help`,
        ]
      : []),
    ...(components.jaeger
      ? [`  traces            ${components.jaeger.queryUrl}/api/services`]
      : []),
    `  addresses, pids   ${directory}/mesh.json`,
    `  logs              ${directory}/logs/`,
    "  stop              Ctrl-C (the data stays; npm start -- --fresh forgets it)",
    "",
  ].join("\n");
}

const OPEN_MODE_WARNING = [
  "  !! OPEN DEVELOPMENT MODE !!",
  "  The edge asks for no token: every caller is the demo tenant and may do everything.",
  "  It listens on 127.0.0.1 only. Do not forward its port, and do not run this in production.",
];

function inMegabytes(megabytes: number | undefined): string {
  return megabytes === undefined ? "-" : `${megabytes} MB`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
}
