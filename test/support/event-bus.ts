import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import type { EventBus } from "../../services/platform/events/event-bus.ts";
import { openPrefixedBus } from "./prefixed-bus.ts";

/** A bus on the run's Kafka whose topics nobody else sees: each carries a prefix, on the broker only. */
export function setupEventBus(prefix = newPrefix()): EventBus {
  return openPrefixedBus(inject("kafkaBrokers"), prefix);
}

export function newPrefix(): string {
  return `t${randomBytes(6).toString("hex")}-`;
}
