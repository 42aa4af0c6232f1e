import type { Deed } from "./boundaries.ts";
import { MODES, type Mode } from "./scenario.ts";

/** Where and when a service kills itself. */
export interface Crash {
  readonly service: Service;
  readonly kind: Deed["kind"];
  /** A regular expression for what the deed is named by. */
  readonly text: string;
  /** Another one, which its text or its details have to match. */
  readonly detail: string;
  /** Before it is done, or when it is done for good and its caller does not know yet. */
  readonly when: "before" | "after";
  /** The first such deed, or a later one. */
  readonly nth: number;
}

export interface CrashPoint extends Crash {
  /** `<mode>/<step>/<service>/<when>` */
  readonly id: string;
  readonly mode: Mode;
}

type Service = "order" | "inventory" | "payment";

type Place = Pick<Crash, "service" | "kind" | "text" | "detail"> & {
  readonly step: string;
};

const place = (
  step: string,
  service: Service,
  kind: Deed["kind"],
  text: string,
  detail = "",
): Place => ({ step, service, kind, text, detail });

const INTENT = place(
  "intent",
  "order",
  "sql",
  String.raw`insert into orders \(`,
);
const AUTHORIZE = place(
  "authorize",
  "payment",
  "provider",
  "^POST /v1/payment_intents$",
);
const CAPTURE = place("capture", "payment", "provider", "^POST .*/capture$");
const SELL = ["inventory", "sql", "update reservations", "confirmed"] as const;

/** What a mode does, in about the order in which an order meets it. */
const STEPS: Readonly<Record<Mode, readonly Place[]>> = {
  orchestrated: [
    INTENT,
    place("reserve", "order", "call", "InventoryService/Reserve$"),
    place("reserve", "inventory", "sql", "insert into reservations"),
    place("authorize", "order", "call", "PaymentService/Authorize$"),
    AUTHORIZE,
    place("confirm", "order", "call", "InventoryService/Confirm$"),
    place("decision", ...SELL),
    place("decision", "order", "sql", "update orders", '"state":"confirmed"'),
    place("capture", "order", "call", "PaymentService/Capture$"),
    CAPTURE,
    ...eventsOf("order-timeline"),
  ],
  choreographed: [
    INTENT,
    place("reserve", "inventory", "sql", "insert into reservations"),
    place("intent", "payment", "sql", "insert into payments"),
    AUTHORIZE,
    place("decision", ...SELL),
    place("commit", "payment", "sql", "update payments", "capture"),
    CAPTURE,
    place("commit", "order", "sql", "update orders", "completed"),
    ...eventsOf(
      "order-choreography",
      "inventory-choreography",
      "payment-choreography",
    ),
  ],
  "two-phase": [
    INTENT,
    place("prepare", "order", "call", "ParticipantService/Prepare$"),
    place("reserve", "inventory", "sql", "insert into reservations"),
    place("prepare", "inventory", "sql", "^prepare transaction"),
    AUTHORIZE,
    place("prepare", "payment", "sql", "^prepare transaction"),
    place(
      "decision",
      "order",
      "sql",
      "insert into transaction_decisions",
      '"decides":true',
    ),
    place("commit", "order", "call", "ParticipantService/Commit$"),
    place("commit", "inventory", "sql", "^commit prepared"),
    place("sale", ...SELL),
    place("commit", "payment", "sql", "^commit prepared"),
    CAPTURE,
    ...eventsOf("order-timeline"),
  ],
};

/** The way of an event: into the outbox, to Kafka, marked, into the inbox of each group, and its offset. */
function eventsOf(...groups: readonly string[]): Place[] {
  const announced = [
    ["order", "OrderCompleted"],
    ["inventory", "StockConfirmed"],
    ["payment", "PaymentCaptured"],
  ] as const;
  return [
    ...announced.flatMap(([service, type]) => [
      place("outbox insert", service, "sql", "insert into outbox", type),
      place("Kafka ack", service, "publish", `weft.${service}.v1`),
      place(
        "mark",
        service,
        "sql",
        String.raw`update outbox\s+set published_at`,
      ),
    ]),
    ...groups.flatMap((group) => {
      // A group is named for its service.
      const service = group.split("-")[0] as Service;
      return [
        group === "order-timeline"
          ? // Its entries are keyed by their events, so that they are its inbox.
            place("inbox insert", service, "sql", "insert into order_timeline")
          : place("inbox insert", service, "sql", "insert into inbox", group),
        place("offset commit", service, "commit offsets", `^${group}$`),
      ];
    }),
  ];
}

/** Every point: before and after each step of each mode. */
export const CRASH_POINTS: readonly CrashPoint[] = MODES.flatMap((mode) =>
  STEPS[mode].flatMap(({ step, ...crash }) =>
    (["before", "after"] as const).map((when) => ({
      ...crash,
      when,
      nth: 1,
      mode,
      id: `${mode}/${step}/${crash.service}/${when}`,
    })),
  ),
);

/** Some of each mode, among them those where a crash is most dangerous. For `npm test`. */
const SHORT: readonly string[] = [
  "orchestrated/authorize/order/after",
  "orchestrated/mark/payment/before",
  "orchestrated/decision/inventory/after",
  "orchestrated/capture/payment/after",
  "orchestrated/Kafka ack/inventory/after",
  "choreographed/authorize/payment/after",
  "choreographed/decision/inventory/after",
  "choreographed/inbox insert/payment/after",
  "choreographed/offset commit/order/before",
  "two-phase/prepare/inventory/after",
  "two-phase/decision/order/before",
  "two-phase/decision/order/after",
  "two-phase/commit/payment/after",
];

/**
 * The points that `all`, `short`, or words separated by commas name: those whose id has one of them, of one mode if that
 * is told.
 *
 * @throws Error where none is named.
 */
export function chooseCrashPoints(wanted: string, mode?: Mode): CrashPoint[] {
  const words = wanted === "short" ? SHORT : wanted.split(",");
  const chosen = CRASH_POINTS.filter(
    (point) =>
      (mode === undefined || point.mode === mode) &&
      (wanted === "all" || words.some((word) => point.id.includes(word))),
  );
  if (chosen.length === 0) throw new Error(`no crash point is ${wanted}`);
  return chosen;
}

/** Whether it is at this deed that the process is to die. */
export function isMeant({ kind, text, detail }: Crash, deed: Deed): boolean {
  return (
    kind === deed.kind &&
    new RegExp(text, "i").test(deed.text) &&
    (detail === "" || new RegExp(detail).test(`${deed.text}\n${deed.detail()}`))
  );
}
