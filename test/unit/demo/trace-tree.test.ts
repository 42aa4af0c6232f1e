import { expect, test } from "vitest";
import { drawTrace, type Span } from "../../../deploy/local/demo/trace-tree.ts";

test("draws each span below its parent, in the order of their beginnings", () => {
  const spans = [
    span("c", { parentId: "a", service: "payment", startUs: 3_000 }),
    span("a", { service: "edge", operation: "POST /v1/orders" }),
    span("d", { parentId: "b", service: "stock", startUs: 2_000 }),
    span("b", { parentId: "a", service: "order", startUs: 1_000 }),
  ];

  const lines = drawTrace(spans);

  expect(lines.map(withoutTimes)).toEqual([
    "edge · POST /v1/orders",
    "├─ order · work",
    "│  └─ stock · work",
    "└─ payment · work",
  ]);
});

test("tells the offset from the trace's beginning and the duration in milliseconds", () => {
  const spans = [
    span("a", { startUs: 1_000_000, durationUs: 20_000 }),
    span("b", { parentId: "a", startUs: 1_010_000, durationUs: 5_250 }),
  ];

  const lines = drawTrace(spans);

  expect(lines[0]).toMatch(/\s\+0\.0\s+20\.0\s/);
  expect(lines[1]).toMatch(/\s\+10\.0\s+5\.3\s/);
});

test("draws the bars on one scale, none longer than the trace and none invisible", () => {
  const spans = [
    span("a", { durationUs: 24_000 }),
    span("b", { parentId: "a", startUs: 12_000, durationUs: 12_000 }),
    span("c", { parentId: "a", startUs: 24_000, durationUs: 0 }),
  ];

  const lines = drawTrace(spans);

  const begin = (lines[0] ?? "").indexOf("▇");
  const bars = lines.map((line) => line.slice(begin));
  expect(bars).toEqual([
    "▇".repeat(24),
    " ".repeat(12) + "▇".repeat(12),
    " ".repeat(23) + "▇",
  ]);
});

test("folds a transaction and the client's side of a call, keeps what is below them, and counts both", () => {
  const client = { "span.kind": "client" };
  const spans = [
    span("a", { service: "order" }),
    span("call", { parentId: "a", tags: client }),
    span("served", {
      parentId: "call",
      service: "payment",
      tags: { "span.kind": "server" },
    }),
    span("tx", {
      parentId: "served",
      tags: { ...client, "db.system.name": "postgresql" },
    }),
    span("sent", {
      parentId: "tx",
      service: "payment",
      tags: {
        "span.kind": "producer",
        "cloudevents.event_type": "weft.payment.v1.PaymentCaptured",
      },
    }),
  ];

  const lines = drawTrace(spans);

  expect(lines.map(withoutTimes)).toEqual([
    "order · work",
    "└─ payment · work",
    "   └─ payment · to Kafka: PaymentCaptured",
    "(of 5 spans folded: 1 client sides of calls, 1 database transactions)",
  ]);
});

test("draws what a folded span held at its own time, not at that of the folded span", () => {
  const spans = [
    span("a"),
    span("tx", {
      parentId: "a",
      startUs: 1_000,
      tags: { "db.system.name": "postgresql" },
    }),
    span("late", { parentId: "tx", operation: "late", startUs: 9_000 }),
    span("early", { parentId: "a", operation: "early", startUs: 2_000 }),
  ];

  const lines = drawTrace(spans);

  expect(lines.map(withoutTimes).slice(1, 3)).toEqual([
    "├─ order · early",
    "└─ order · late",
  ]);
});

test("shows the client's side of a call that no server answered", () => {
  const spans = [
    span("a", { service: "order" }),
    span("call", {
      parentId: "a",
      service: "order",
      operation: "weft.payment.v1.PaymentService/Capture",
      tags: {
        "span.kind": "client",
        "rpc.service": "weft.payment.v1.PaymentService",
        "rpc.grpc.status_code": "14",
      },
    }),
  ];

  const lines = drawTrace(spans);

  expect(lines.map(withoutTimes)).toContain(
    "└─ order · PaymentService/Capture ✗ Unavailable",
  );
});

test("draws a span whose parent is missing as a root of its own", () => {
  const spans = [
    span("b", { parentId: "lost", service: "order", startUs: 1_000 }),
    span("a", { service: "edge" }),
  ];

  const lines = drawTrace(spans);

  expect(lines.map(withoutTimes)).toEqual(["edge · work", "order · work"]);
});

function span(id: string, overrides: Partial<Span> = {}): Span {
  return {
    id,
    parentId: undefined,
    service: "order",
    operation: "work",
    startUs: 0,
    durationUs: 1_000,
    tags: {},
    ...overrides,
  };
}

function withoutTimes(line: string): string {
  return line.replace(/\s+\+[\d.]+\s+[\d.]+\s+▇+$/, "");
}
