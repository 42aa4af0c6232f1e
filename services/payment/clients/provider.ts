import type { Logger } from "../../platform/runtime/logger.ts";
import type { Payment } from "../domain/payment.ts";
import { plainTenant } from "../domain/plain-tenant.ts";
import type { ProviderIntent } from "../domain/reconcile.ts";
import {
  ProviderSilent,
  type ProviderHttp,
  type ProviderReply,
  type ProviderRequest,
} from "./provider-http.ts";
import {
  readFailure,
  readIntent,
  readRefund,
  readReport,
  readReported,
  readSearch,
  type ReportedIntent,
  type ReportPage,
} from "./provider-messages.ts";

/** The provider did not tell; money may or may not have moved. */
export interface Unknown {
  readonly kind: "unknown";
  readonly cause: unknown;
}

/** The provider understood, did nothing, and never will. */
export interface Refused {
  readonly kind: "refused";
  readonly code: string;
  /** Of the payment intent that a refused card leaves behind. */
  readonly reference: string | undefined;
}

export type IntentOutcome =
  | { readonly kind: "answered"; readonly intent: ProviderIntent }
  | Refused
  | Unknown;

/**
 * The payment provider's API, as far as payments need it. Nothing here throws
 * for what the provider does: every outcome is a value. The keys are made of
 * the payment and the operation, so that asking again never does it twice.
 */
export interface PaymentProvider {
  /** Asks for the hold of an unsettled payment. A refusal of any kind is a declined intent. */
  authorize(payment: Payment): Promise<IntentOutcome>;
  /** What the provider knows of the payment; `absent` where it knows nothing (yet). */
  find(payment: Payment): Promise<IntentOutcome | { readonly kind: "absent" }>;
  /** What the provider knows under its own id. */
  retrieve(
    reference: string,
  ): Promise<
    ({ readonly kind: "answered" } & ReportedIntent) | Refused | Unknown
  >;
  /** A page of what the provider made in a span of time, newest first. */
  report(
    span: ReportSpan,
    after: string | undefined,
  ): Promise<({ readonly kind: "answered" } & ReportPage) | Refused | Unknown>;
  capture(payment: Payment, amount: bigint): Promise<IntentOutcome>;
  cancel(payment: Payment): Promise<IntentOutcome>;
  refund(
    payment: Payment,
    refundId: string,
    amount: bigint,
  ): Promise<
    { readonly kind: "answered"; readonly amount: bigint } | Refused | Unknown
  >;
}

/** Of making, at the provider; the end is not part of it. */
export interface ReportSpan {
  readonly start: Date;
  readonly end: Date;
}

export interface ProviderDeps {
  readonly http: ProviderHttp;
  readonly logger: Logger;
}

export function createPaymentProvider(deps: ProviderDeps): PaymentProvider {
  return {
    authorize: (payment) => authorize(deps, payment),

    find: (payment) =>
      outcomeOf(deps, searchRequest(payment), ({ body }) => {
        const intent = readSearch(body);
        return intent === undefined
          ? { kind: "absent" }
          : { kind: "answered", intent };
      }),

    retrieve: (reference) =>
      outcomeOf(
        deps,
        {
          method: "GET",
          path: `/v1/payment_intents/${encodeURIComponent(reference)}`,
        },
        ({ body }) => ({ kind: "answered", ...readReported(body) }),
      ),

    report: ({ start, end }, after) =>
      outcomeOf(
        deps,
        { method: "GET", path: reportPath(start, end, after) },
        ({ body }) => ({ kind: "answered", ...readReport(body) }),
      ),

    capture: (payment, amount) =>
      outcomeOf(
        deps,
        post(payment, `${intentPath(payment)}/capture`, "capture", {
          amount_to_capture: amount.toString(),
        }),
        answered,
      ),

    cancel: (payment) =>
      outcomeOf(
        deps,
        post(payment, `${intentPath(payment)}/cancel`, "void", {}),
        answered,
      ),

    refund: (payment, refundId, amount) =>
      outcomeOf(
        deps,
        post(payment, "/v1/refunds", `refund/${refundId}`, {
          payment_intent: payment.providerReference ?? "",
          amount: amount.toString(),
        }),
        ({ body }) => ({ kind: "answered", amount: readRefund(body) }),
      ),
  };
}

async function authorize(
  deps: ProviderDeps,
  payment: Payment,
): Promise<IntentOutcome> {
  const outcome = await outcomeOf(
    deps,
    post(payment, "/v1/payment_intents", "authorize", {
      amount: (payment.amount?.minorUnits ?? 0n).toString(),
      currency: (payment.amount?.currency ?? "").toLowerCase(),
      payment_method: payment.token ?? "",
      capture_method: "manual",
      confirm: "true",
      "metadata[payment_id]": payment.id,
      "metadata[tenant]": plainTenant(payment.tenant),
      "metadata[order]": payment.orderId,
    }),
    answered,
  );
  if (outcome.kind !== "refused") return outcome;
  const { code, reference } = outcome;
  const intent = { status: "declined", reference, code } as const;
  return { kind: "answered", intent };
}

async function outcomeOf<T>(
  { http, logger }: ProviderDeps,
  request: ProviderRequest,
  read: (reply: ProviderReply) => T,
): Promise<T | Refused | Unknown> {
  try {
    const reply = await http.send(request);
    if (reply.status < 300) return read(reply);
    return refusal(reply);
  } catch (error) {
    const { method, path } = request;
    logger.warn({ err: error, method, path }, "the provider did not tell");
    return { kind: "unknown", cause: error };
  }
}

/** @throws ProviderSilent for a refusal that does not tell whether an earlier request was done. */
function refusal(reply: ProviderReply): Refused {
  const failure = readFailure(reply.body);
  // Our key with other parameters: then an earlier request may have been done.
  // Without access (401, 403) nothing is known of earlier requests either.
  const telling =
    failure.type !== "idempotency_error" &&
    reply.status !== 401 &&
    reply.status !== 403;
  if (!telling) {
    throw new ProviderSilent(
      `the provider answered ${reply.status} ${failure.type}`,
    );
  }
  const code = failure.decline_code ?? failure.code ?? failure.type;
  const reference = failure.payment_intent?.id;
  return { kind: "refused", code, reference };
}

function answered({ body }: ProviderReply): IntentOutcome {
  return { kind: "answered", intent: readIntent(body) };
}

function searchRequest(payment: Payment): ProviderRequest {
  const query = `metadata['payment_id']:'${payment.id}' AND metadata['tenant']:'${plainTenant(payment.tenant)}'`;
  const path = `/v1/payment_intents/search?query=${encodeURIComponent(query)}`;
  return { method: "GET", path };
}

/** Stripe's list (https://docs.stripe.com/api/payment_intents/list); its times are whole seconds. */
function reportPath(start: Date, end: Date, after: string | undefined): string {
  const query = new URLSearchParams({
    "created[gte]": Math.floor(start.getTime() / 1_000).toString(),
    "created[lt]": Math.ceil(end.getTime() / 1_000).toString(),
    limit: "100",
    ...(after === undefined ? {} : { starting_after: after }),
  });
  return `/v1/payment_intents?${query.toString()}`;
}

function intentPath(payment: Payment): string {
  const reference = encodeURIComponent(payment.providerReference ?? "");
  return `/v1/payment_intents/${reference}`;
}

function post(
  payment: Payment,
  path: string,
  operation: string,
  form: Record<string, string>,
): ProviderRequest {
  const idempotencyKey = `${plainTenant(payment.tenant)}/${payment.id}/${operation}`;
  return { method: "POST", path, form, idempotencyKey };
}
