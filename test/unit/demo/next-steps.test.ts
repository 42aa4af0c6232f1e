import { join } from "node:path";
import { expect, test } from "vitest";
import { nextSteps } from "../../../deploy/local/demo/next-steps.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");

test("names the mesh's port and authority in every command that calls it", () => {
  const text = nextSteps(options({ edgeUrl: "https://localhost:9443" }));

  expect(text).toContain("--cacert .weft/tls/ca.pem");
  expect(text).toContain("-cacert .weft/tls/ca.pem");
  expect(text).toContain('readFileSync(".weft/tls/ca.pem")');
  expect(text).toContain("localhost:9443 weft.order.v1.OrderService");
  expect(text).not.toContain("8443 ");
});

test("sends the demo token with every call, and none to an open edge", () => {
  const withToken = nextSteps(options({}));
  const open = nextSteps(options({ issuer: undefined }));

  expect(
    withToken.match(/curl -sS .*-H @\.weft\/demo-token\.header/g),
  ).toHaveLength(6);
  expect(withToken).toContain('Bearer $(cat .weft/demo-token)" \\');
  expect(withToken).toContain('readFileSync(".weft/demo-token", "utf8")');
  expect(open).not.toContain("demo-token");
});

test("quotes a path that a shell would take apart", () => {
  const text = nextSteps(options({ caFile: "/tmp/it's a run/ca.pem" }));

  expect(text).toContain(`--cacert '/tmp/it'\\''s a run/ca.pem'`);
});

test("uses the grpcurl that is there, and else one that builds it", () => {
  const found = nextSteps(options({ grpcurl: "/opt/bin/grpcurl" }));
  const missing = nextSteps(options({ grpcurl: undefined }));

  expect(found).toContain("/opt/bin/grpcurl -protoset");
  expect(missing).toContain(`install-grpcurl.ts)" -protoset`);
});

function options(overrides: Partial<Parameters<typeof nextSteps>[0]>) {
  return {
    edgeUrl: "https://localhost:8443",
    caFile: join(ROOT, ".weft", "tls", "ca.pem"),
    grpcurl: undefined,
    issuer: {
      demoTokenFile: join(ROOT, ".weft", "demo-token"),
      demoHeaderFile: join(ROOT, ".weft", "demo-token.header"),
    },
    order: "orders/01a1fbc6-9e04-791f-8754-e2ad22e2f658",
    ...overrides,
  };
}
