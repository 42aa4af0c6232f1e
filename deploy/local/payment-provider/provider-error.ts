import type { PaymentIntent } from "./payment-intent.ts";

export type ErrorType =
  | "invalid_request_error"
  | "card_error"
  | "idempotency_error"
  | "rate_limit_error"
  | "api_error";

export interface ErrorFields {
  readonly status: number;
  readonly type: ErrorType;
  readonly code: string;
  readonly message: string;
  readonly declineCode?: string;
  readonly param?: string;
  readonly intent?: PaymentIntent;
}

/** A refusal that reaches the client in Stripe's shape, `{ "error": { ... } }`. */
export class ProviderError extends Error {
  readonly status: number;
  readonly fields: ErrorFields;

  constructor(fields: ErrorFields) {
    super(fields.message);
    this.name = "ProviderError";
    this.status = fields.status;
    this.fields = fields;
  }

  body(): string {
    const { type, code, message, declineCode, param, intent } = this.fields;
    return JSON.stringify({
      error: {
        type,
        code,
        message,
        ...(declineCode === undefined ? {} : { decline_code: declineCode }),
        ...(param === undefined ? {} : { param }),
        ...(intent === undefined ? {} : { payment_intent: intent }),
      },
    });
  }
}

export function invalidParam(param: string, message: string): ProviderError {
  return new ProviderError({
    status: 400,
    type: "invalid_request_error",
    code: "parameter_invalid",
    message,
    param,
  });
}

export function missingParam(param: string): ProviderError {
  return new ProviderError({
    status: 400,
    type: "invalid_request_error",
    code: "parameter_missing",
    message: `Missing required param: ${param}.`,
    param,
  });
}

export function noSuch(
  resource: string,
  id: string,
  param: string,
  status = 404,
): ProviderError {
  return new ProviderError({
    status,
    type: "invalid_request_error",
    code: "resource_missing",
    message: `No such ${resource}: '${id}'`,
    param,
  });
}
