import { expect, test } from "vitest";
import { metricsOf, readAlertRules } from "../../support/alert-rules.ts";

test("every alert is PromQL over a metric, has a name of its own, and says what to do", () => {
  const rules = readAlertRules();

  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { expr } of rules) {
    expect(metricsOf(expr), expr).not.toHaveLength(0);
  }
});

test("there is an alert for all that operators have to know", () => {
  const metrics = readAlertRules().flatMap(({ expr }) => metricsOf(expr));

  expect(metrics).toEqual(
    expect.arrayContaining([
      "weft_orders_unsettled_age_seconds",
      "weft_transaction_in_doubt_oldest_age_seconds",
      "weft_transactions_in_doubt_age_seconds",
      "weft_payment_findings_open",
      "weft_payment_reconciliation_lag_seconds",
      "weft_orders_needs_attention",
      "weft_dead_letters_pending",
      "weft_outbox_lag_seconds",
      "weft_consumer_lag",
      "weft_consumer_retry_depth",
      "weft_ratelimit_decisions_uncounted_total",
      "weft_breaker_state",
      "db_client_connection_pending_requests",
      "nodejs_eventloop_delay_p99_seconds",
    ]),
  );
});

test("what is in doubt is told by whoever is left: the coordinator, or a participant", () => {
  const alert = readAlertRules().find(
    ({ alert: name }) => name === "WeftTransactionInDoubt",
  );

  expect(metricsOf(alert?.expr ?? "")).toEqual([
    "weft_transaction_in_doubt_oldest_age_seconds",
    "weft_transactions_in_doubt_age_seconds",
  ]);
});

test("a faulty expression is noticed", () => {
  expect(() => metricsOf("max(weft_consumer_lag) >> 3")).toThrow("no PromQL");
});
