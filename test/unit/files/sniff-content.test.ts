import { expect, test } from "vitest";
import { contradiction } from "../../../services/files/domain/sniff-content.ts";

const png = Buffer.from("89504e470d0a1a0a", "hex");
const gzip = Buffer.from("1f8b0800", "hex");

test.each([
  ["image/png", png, undefined],
  ["image/png", Buffer.from("hello"), "something else"],
  ["image/png", Buffer.alloc(0), "empty"],
  ["image/jpeg", png, "image/png"],
  ["text/csv", Buffer.from("a,b\n"), undefined],
  ["text/csv", Buffer.alloc(0), undefined],
  ["text/csv", Buffer.from("a\0b"), "binary"],
  ["text/csv", gzip, "application/gzip"],
  ["text/csv", Buffer.from("  <!DOCTYPE html><p>"), "text/html"],
  ["text/csv", Buffer.from("<headers>,b\n"), undefined],
  ["text/html", Buffer.from("<html>"), undefined],
  ["application/json", Buffer.from("<script>x"), "text/html"],
  ["application/octet-stream", gzip, undefined],
])("of %s that begins with %j says %j", (type, head, found) => {
  expect(contradiction(type, head)).toBe(found);
});
