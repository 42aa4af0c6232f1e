/** The moment at which the provider misbehaves, by the payment method of the intent. */
export type Operation = "authorize" | "capture" | "cancel" | "refund";

/** What a test token makes the provider do. */
export interface TokenBehaviour {
  /** Refuses the card with this code; approves it when left out. */
  readonly decline?: { readonly code: string; readonly declineCode: string };
  /** Works this long before it does anything. */
  readonly workMs?: number;
  /** Takes the request, does nothing, and never answers. */
  readonly silent?: boolean;
  /** Answers the first attempt with status 500, having done nothing. */
  readonly failsOnce?: boolean;
  /** Answers only when the webhook that tells of it was sent. */
  readonly webhookFirst?: boolean;
  /** Does it durably, and answers too late: always, or only the first time. */
  readonly late?: {
    readonly operation: Operation;
    readonly when: "always" | "first";
  };
}

/** The behaviour of a test token, or undefined where there is no such token. */
export function tokenBehaviour(token: string): TokenBehaviour | undefined {
  return TOKENS.get(token);
}

const TOKENS = new Map<string, TokenBehaviour>([
  ["tok_visa", {}],
  [
    "tok_declined",
    {
      decline: { code: "card_declined", declineCode: "insufficient_funds" },
    },
  ],
  [
    "tok_expired_card",
    { decline: { code: "expired_card", declineCode: "expired_card" } },
  ],
  ["tok_slow", { workMs: 300 }],
  ["tok_webhook_first", { webhookFirst: true }],
  ["tok_timeout", { silent: true }],
  ["tok_error", { failsOnce: true }],
  ["tok_late", lateAt("authorize", "always")],
  ["tok_late_once", lateAt("authorize", "first")],
  ["tok_capture_late_once", lateAt("capture", "first")],
  ["tok_cancel_late_once", lateAt("cancel", "first")],
  ["tok_refund_late_once", lateAt("refund", "first")],
]);

function lateAt(
  operation: Operation,
  when: "always" | "first",
): TokenBehaviour {
  return { late: { operation, when } };
}
