import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

/** pino writes to the process's own standard output, so a process writes. */
function logged(script: string): unknown[] {
  const loggerUrl = new URL(
    "../../../services/platform/runtime/logger.ts",
    import.meta.url,
  );
  const source = `
    import { createLogger } from ${JSON.stringify(loggerUrl.href)};
    import { context, trace } from "@opentelemetry/api";
    import { startNodeSdk } from "@opentelemetry/sdk-node";
    startNodeSdk({ logLevel: "none", instrumentations: [], spanProcessors: [], metricReaders: [], logRecordProcessors: [] });
    const logger = createLogger("order", "info");
    ${script}`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", source],
    { encoding: "utf8", timeout: 20_000 },
  );
  if (stdout === "") throw new Error(`nothing was logged: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

test("cuts out what could be a secret, and names the service", () => {
  const lines = logged(`
    logger.info({ authorization: "Bearer hunter2", request: { paymentToken: "hunter2" } }, "asked");
    logger.debug({}, "not at this level");`);

  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    service: "order",
    level: "info",
    msg: "asked",
  });
  expect(JSON.stringify(lines)).not.toContain("hunter2");
});

test("says in which trace and span a line was written", () => {
  const lines = logged(`
    const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
    const within = trace.setSpan(context.active(), trace.wrapSpanContext(spanContext));
    context.with(within, () => logger.info({}, "inside"));
    logger.info({}, "outside");`);

  expect(lines[0]).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
  });
  expect(lines[1]).not.toHaveProperty("traceId");
});

test("says for which request a line was written, and believes no id that is none", () => {
  const requestIdUrl = new URL(
    "../../../services/platform/runtime/request-id.ts",
    import.meta.url,
  );
  const id = "11111111-2222-4333-8444-555555555555";

  const lines = logged(`
    const { withRequestId } = await import(${JSON.stringify(requestIdUrl.href)});
    const spanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
    const within = trace.setSpan(context.active(), trace.wrapSpanContext(spanContext));
    for (const id of ["${id}", '"}{"'])
      context.with(withRequestId(within, id), () => logger.info({}, "inside"));`);

  expect(lines[0]).toMatchObject({ requestId: id });
  expect(lines[1]).not.toHaveProperty("requestId");
});
