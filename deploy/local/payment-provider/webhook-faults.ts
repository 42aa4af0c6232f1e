import { invalidParam } from "./provider-error.ts";

/** How webhooks go wrong, until told otherwise. */
export interface WebhookFaults {
  /** Sends each event so many times more. */
  readonly duplicate: number;
  /** Holds each event back so long. */
  readonly delayMs: number;
  /** Holds each event back by a random part of two seconds, so that later ones overtake it. */
  readonly reorder: boolean;
  /** Loses this part of the events for good, 0 to 1. */
  readonly drop: number;
  /** With each event sends others that are none: of no secret, of a changed body, and of yesterday. */
  readonly forge: boolean;
}

export const NO_FAULTS: WebhookFaults = {
  duplicate: 0,
  delayMs: 0,
  reorder: false,
  drop: 0,
  forge: false,
};

/** Reads the faults of a form; what it does not name does not go wrong. */
export function readFaults(form: URLSearchParams): WebhookFaults {
  return {
    duplicate: numberOf(form, "duplicate", 10),
    delayMs: numberOf(form, "delay_ms", 600_000),
    reorder: form.get("reorder") === "true",
    drop: numberOf(form, "drop", 1),
    forge: form.get("forge") === "true",
  };
}

function numberOf(form: URLSearchParams, param: string, max: number): number {
  const value = Number(form.get(param) ?? "0");
  if (value >= 0 && value <= max) return value;
  throw invalidParam(param, `${param} must be from 0 to ${max}.`);
}
