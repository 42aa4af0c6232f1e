import { randomBytes } from "node:crypto";
import { readAmount, readMetadata, requireField } from "./form.ts";
import type { JournalEntry } from "./journal.ts";
import {
  cancelIntent,
  captureIntent,
  refundIntent,
  type PaymentIntent,
  type Refund,
} from "./payment-intent.ts";
import { invalidParam, missingParam, ProviderError } from "./provider-error.ts";
import {
  requireIntent,
  requireRoom,
  type ProviderState,
} from "./provider-state.ts";
import type { Operation, TokenBehaviour } from "./test-tokens.ts";

/** What a request does once it is done: a journal entry and its answer. */
export interface Effect {
  readonly type: JournalEntry["type"];
  readonly intent: PaymentIntent;
  readonly refund?: Refund;
  readonly status: number;
  readonly body: string;
}

/** A request that is understood: its payment method says how it will misbehave. */
export interface Prepared {
  readonly operation: Operation;
  readonly token: string;
  /** Decides against the state of the moment; changes nothing. */
  readonly perform: (behaviour: TokenBehaviour, now: Date) => Effect;
}

/** @throws ProviderError where there is no such operation or a parameter is wrong. */
export function prepare(
  state: ProviderState,
  path: string,
  form: URLSearchParams,
): Prepared | undefined {
  if (path === "/v1/payment_intents") return authorize(state, form);
  if (path === "/v1/refunds") return refund(state, form);
  const [, id, verb] =
    /^\/v1\/payment_intents\/(\w+)\/(capture|cancel)$/.exec(path) ?? [];
  if (id === undefined) return undefined;
  return verb === "capture" ? capture(state, id, form) : cancel(state, id);
}

function authorize(state: ProviderState, form: URLSearchParams): Prepared {
  const amount = readAmount(form, "amount");
  if (amount === undefined) throw missingParam("amount");
  const currency = requireField(form, "currency");
  if (!/^[a-z]{3}$/.test(currency)) {
    throw invalidParam("currency", `Invalid currency: ${currency}`);
  }
  requireValue(form, "capture_method", "manual");
  requireValue(form, "confirm", "true");
  const token = requireField(form, "payment_method");
  const metadata = readMetadata(form);

  return {
    operation: "authorize",
    token,
    perform({ decline }, now) {
      requireRoom(state);
      const intent: PaymentIntent = {
        id: newId("pi"),
        object: "payment_intent",
        amount,
        amount_capturable: decline === undefined ? amount : 0,
        amount_received: 0,
        amount_refunded: 0,
        capture_method: "manual",
        created: Math.floor(now.getTime() / 1000),
        currency,
        last_payment_error:
          decline === undefined
            ? null
            : { code: decline.code, decline_code: decline.declineCode },
        metadata,
        payment_method: token,
        status:
          decline === undefined
            ? "requires_capture"
            : "requires_payment_method",
      };
      if (decline === undefined) {
        return done("payment_intent.authorized", intent);
      }
      const error = cardDeclined(intent, decline);
      const body = error.body();
      return { type: "payment_intent.declined", intent, status: 402, body };
    },
  };
}

function capture(
  state: ProviderState,
  id: string,
  form: URLSearchParams,
): Prepared {
  const amount = readAmount(form, "amount_to_capture");
  return {
    operation: "capture",
    token: requireIntent(state, id).payment_method,
    perform: () =>
      done(
        "payment_intent.captured",
        captureIntent(requireIntent(state, id), amount),
      ),
  };
}

function cancel(state: ProviderState, id: string): Prepared {
  return {
    operation: "cancel",
    token: requireIntent(state, id).payment_method,
    perform: () =>
      done("payment_intent.canceled", cancelIntent(requireIntent(state, id))),
  };
}

function refund(state: ProviderState, form: URLSearchParams): Prepared {
  const id = requireField(form, "payment_intent");
  const wanted = readAmount(form, "amount");
  return {
    operation: "refund",
    token: requireIntent(state, id, "payment_intent").payment_method,
    perform(_behaviour, now) {
      const { intent, amount } = refundIntent(requireIntent(state, id), wanted);
      const made: Refund = {
        id: newId("re"),
        object: "refund",
        amount,
        created: Math.floor(now.getTime() / 1000),
        currency: intent.currency,
        payment_intent: id,
        status: "succeeded",
      };
      const body = JSON.stringify(made);
      return {
        type: "refund.created",
        intent,
        refund: made,
        status: 200,
        body,
      };
    },
  };
}

function done(type: Effect["type"], intent: PaymentIntent): Effect {
  return { type, intent, status: 200, body: JSON.stringify(intent) };
}

function cardDeclined(
  intent: PaymentIntent,
  decline: { code: string; declineCode: string },
): ProviderError {
  return new ProviderError({
    status: 402,
    type: "card_error",
    ...decline,
    message: "Your card was declined.",
    intent,
  });
}

function requireValue(
  form: URLSearchParams,
  param: string,
  value: string,
): void {
  if (form.get(param) === value) return;
  throw invalidParam(param, `Only ${param}=${value} is supported.`);
}

function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`;
}
