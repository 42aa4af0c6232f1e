import { z } from "zod";
import type { ProviderIntent } from "../domain/reconcile.ts";

const minorUnits = z.number().int().nonnegative().transform(BigInt);

const intent = z.object({
  id: z.string().min(1),
  status: z.enum([
    "requires_payment_method",
    "requires_capture",
    "succeeded",
    "canceled",
  ]),
  amount_received: minorUnits,
  amount_refunded: minorUnits.default(0n),
  last_payment_error: z
    .object({ code: z.string(), decline_code: z.string().nullish() })
    .nullish(),
});

const reported = intent.extend({
  created: z.number().int(),
  currency: z.string(),
  amount_capturable: minorUnits,
  metadata: z.record(z.string(), z.string()).default({}),
});

const report = z.object({
  data: z.array(reported).max(100),
  has_more: z.boolean(),
});

/** A payment as the provider reports it. */
export interface ReportedIntent {
  readonly intent: ProviderIntent;
  readonly metadata: { readonly tenant: string; readonly paymentId: string };
  readonly createdAt: Date;
  readonly currency: string;
  /** Minor units. */
  readonly held: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
}

export interface ReportPage {
  readonly intents: readonly ReportedIntent[];
  /** Where the next page goes on; undefined on the last one. */
  readonly next: string | undefined;
}

const refund = z.object({ id: z.string().min(1), amount: minorUnits });

const searchResult = z.object({ data: z.array(intent).max(100) });

const failure = z.object({
  error: z.object({
    type: z.string(),
    code: z.string().nullish(),
    decline_code: z.string().nullish(),
    message: z.string().default(""),
    payment_intent: z.object({ id: z.string() }).nullish(),
  }),
});

export type ProviderFailure = z.infer<typeof failure>["error"];

/** @throws ZodError for a body that is not a payment intent. */
export function readIntent(body: unknown): ProviderIntent {
  return toIntent(intent.parse(body));
}

/** The newest payment intent of a search, if it found one. */
export function readSearch(body: unknown): ProviderIntent | undefined {
  const [newest] = searchResult.parse(body).data;
  return newest && toIntent(newest);
}

/** @throws ZodError for a body that is not a payment intent. */
export function readReported(body: unknown): ReportedIntent {
  return toReported(reported.parse(body));
}

export function readReport(body: unknown): ReportPage {
  const { data, has_more } = report.parse(body);
  return {
    intents: data.map(toReported),
    next: has_more ? data.at(-1)?.id : undefined,
  };
}

function toReported(message: z.infer<typeof reported>): ReportedIntent {
  const { metadata } = message;
  return {
    intent: toIntent(message),
    metadata: {
      tenant: metadata["tenant"] ?? "",
      paymentId: metadata["payment_id"] ?? "",
    },
    createdAt: new Date(message.created * 1_000),
    currency: message.currency.toUpperCase(),
    held: message.amount_capturable,
    captured: message.amount_received,
    refunded: message.amount_refunded,
  };
}

/** How much a refund gave back. */
export function readRefund(body: unknown): bigint {
  return refund.parse(body).amount;
}

export function readFailure(body: unknown): ProviderFailure {
  return failure.parse(body).error;
}

function toIntent(message: z.infer<typeof intent>): ProviderIntent {
  const reference = message.id;
  switch (message.status) {
    case "requires_capture":
      return { status: "held", reference };
    case "succeeded":
      return {
        status: "taken",
        reference,
        amount: message.amount_received,
        refunded: message.amount_refunded,
      };
    case "canceled":
      return { status: "released", reference };
    case "requires_payment_method": {
      const error = message.last_payment_error;
      const code = error?.decline_code ?? error?.code ?? "card_declined";
      return { status: "declined", reference, code };
    }
  }
}
