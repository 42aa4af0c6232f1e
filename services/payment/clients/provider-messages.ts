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
  last_payment_error: z
    .object({ code: z.string(), decline_code: z.string().nullish() })
    .nullish(),
});

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
      return { status: "taken", reference, amount: message.amount_received };
    case "canceled":
      return { status: "released", reference };
    case "requires_payment_method": {
      const error = message.last_payment_error;
      const code = error?.decline_code ?? error?.code ?? "card_declined";
      return { status: "declined", reference, code };
    }
  }
}
