import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import type { CertificateFiles } from "../../../deploy/local/certificate-files.ts";
import {
  ensureCertificates,
  type Certificates,
} from "../../../deploy/local/certificates.ts";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import type { Outcome, Step } from "../../../services/order/domain/saga.ts";
import { callerOf } from "../../../services/platform/rpc/caller.ts";
import { moneyToProto } from "../../../services/platform/rpc/money.ts";
import {
  serve,
  service,
  type MountedService,
} from "../../../services/platform/rpc/server.ts";
import type { TlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import { DomainError } from "../../../services/platform/runtime/errors.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  createToyParticipants,
  type Account,
} from "../../unit/order/toy-participants.ts";

/** One call that reached a participant. */
export interface Call {
  readonly step: Step;
  /** The order's id, from the id of its reservation or payment. */
  readonly order: string;
  readonly tenant: string;
  readonly subject: string;
  readonly request: Readonly<Record<string, unknown>>;
}

/** What becomes of a call: nothing happens, or it happens and the answer is lost; or the participant refuses. */
export type Fate =
  | { readonly kind: "fails"; readonly code: Code }
  | { readonly kind: "answer lost"; readonly code: Code }
  | {
      readonly kind: "refuses";
      readonly reason: string;
      readonly metadata?: Record<string, string>;
    }
  | { readonly kind: "declines"; readonly declineCode: string }
  | { readonly kind: "waits"; readonly until: Promise<void> };

export interface Participants {
  readonly inventoryAddress: string;
  readonly paymentAddress: string;
  /** The certificates of the mesh: files for a process, and read for a client. */
  readonly certificates: Certificates;
  tlsOf(files: CertificateFiles | undefined): Promise<TlsFiles>;
  /** Every call so far, oldest first. */
  readonly calls: readonly Call[];
  /** The steps that were called for an order, in order. */
  stepsOf(order: string): Step[];
  /** What becomes of the next calls of a step, for any order; those after them are answered. */
  script(step: Step, ...fates: Fate[]): void;
  /** Every call of a step fails from now on, until the end of the world or another script. */
  neverAnswers(step: Step): void;
  /** Keeps the next call of a step waiting: `reached` when it has come, until `open`. */
  hold(step: Step): {
    readonly reached: Promise<void>;
    readonly open: () => void;
  };
  accountOf(order: string): Account;
}

export const unitPrice = { currency: "EUR", minorUnits: 1_250n };

/** Inventory and Payment on real sockets of the mesh, doing as they are told. */
export async function setupParticipants(): Promise<Participants> {
  const folder = await mkdtemp(join(tmpdir(), "weft-order-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const certificates = await ensureCertificates(folder, [
    "inventory",
    "payment",
    "order",
  ]);
  const tlsOf = tlsReader(certificates);
  const toy = createToyParticipants();
  const calls: Call[] = [];
  const scripts = new Map<Step, Fate[]>();
  const silent = new Set<Step>();
  const reached = new Map<Step, () => void>();

  const take = async (
    step: Step,
    name: string,
    request: object,
    context: HandlerContext,
  ): Promise<Outcome> => {
    const order = name.slice(name.indexOf("/") + 1);
    const { tenant, subject } = callerOf(context);
    calls.push({ step, order, tenant, subject, request: { ...request } });
    reached.get(step)?.();
    if (silent.has(step)) throw new ConnectError("silence", Code.Internal);
    const fate = scripts.get(step)?.shift();
    if (fate?.kind === "waits") await fate.until;
    if (fate?.kind === "fails") throw new ConnectError("no", fate.code);
    if (fate?.kind === "refuses") throw refusal(fate.reason, fate.metadata);
    if (fate?.kind === "declines") toy.accountOf(order).payment = "declined";
    const outcome = toy.take(step, order);
    if (fate?.kind === "answer lost") throw new ConnectError("no", fate.code);
    const isDeclined = toy.accountOf(order).payment === "declined";
    if (outcome.kind === "refused" && !isDeclined) {
      throw refusal(outcome.failure.reason);
    }
    return outcome;
  };
  const start = async (name: string, implementation: MountedService) => {
    const server = await serve({
      host: "127.0.0.1",
      grpcPort: 0,
      connectPort: 0,
      tls: await tlsOf(certificates.services[name]),
      logger: silentLogger,
      services: [implementation],
    });
    onTestFinished(() => server.drain(AbortSignal.timeout(200)));
    return `127.0.0.1:${server.grpcPort}`;
  };
  return {
    inventoryAddress: await start("inventory", inventoryOf(take)),
    paymentAddress: await start("payment", paymentOf(take, toy.accountOf)),
    certificates,
    tlsOf,
    calls,
    stepsOf: (order) =>
      calls.filter((call) => call.order === order).map(({ step }) => step),
    script(step, ...fates) {
      silent.delete(step);
      scripts.set(step, fates);
    },
    neverAnswers: (step) => void silent.add(step),
    hold(step) {
      const arrival = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      reached.set(step, arrival.resolve);
      scripts.set(step, [{ kind: "waits", until: gate.promise }]);
      onTestFinished(() => gate.resolve());
      return { reached: arrival.promise, open: gate.resolve };
    },
    accountOf: toy.accountOf,
  };
}

type Take = (
  step: Step,
  name: string,
  request: object,
  context: HandlerContext,
) => Promise<Outcome>;

function inventoryOf(take: Take) {
  return service(InventoryService, {
    async reserve(request, context) {
      await take("reserve", `/${request.reservationId}`, request, context);
      const price = moneyToProto(unitPrice);
      const units = request.lines.reduce((sum, line) => sum + line.quantity, 0);
      const minorUnits = unitPrice.minorUnits * BigInt(units);
      return {
        reservation: {
          lines: request.lines.map(({ sku, quantity }) => ({
            sku,
            quantity,
            unitPrice: price,
          })),
          total: moneyToProto({ ...unitPrice, minorUnits }),
        },
      };
    },
    async confirm(request, context) {
      await take("confirm", request.name, request, context);
      return {};
    },
    async release(request, context) {
      await take("release", request.name, request, context);
      return {};
    },
    createProduct: unused,
    getProduct: unused,
    listProducts: unused,
    batchGetProducts: unused,
    adjustStock: unused,
    getReservation: unused,
  });
}

function paymentOf(take: Take, accountOf: (order: string) => Account) {
  return service(PaymentService, {
    async authorize(request, context) {
      await take("authorize", `/${request.paymentId}`, request, context);
      return accountOf(request.paymentId).payment === "declined"
        ? {
            payment: {
              state: Payment_State.DECLINED,
              declineCode: "insufficient_funds",
            },
          }
        : { payment: { state: Payment_State.AUTHORIZED } };
    },
    async capture(request, context) {
      await take("capture", request.name, request, context);
      return {};
    },
    async void(request, context) {
      await take("void", request.name, request, context);
      return {};
    },
    refund: unused,
    getPayment: unused,
    listPayments: unused,
    receiveProviderEvent: unused,
    listLedgerEntries: unused,
    getBalances: unused,
    listReconciliationFindings: unused,
    reconcilePayments: unused,
  });
}

function unused(): never {
  throw new Error("an order does not call this");
}

function refusal(reason: string, metadata: Record<string, string> = {}) {
  return new DomainError({
    code: "failed_precondition",
    reason,
    message: `no: ${reason}`,
    metadata,
  });
}

function tlsReader(certificates: Certificates): Participants["tlsOf"] {
  return async (files) => {
    if (!files) throw new Error("no certificate of that name");
    return {
      ca: await readFile(certificates.ca),
      cert: await readFile(files.cert),
      key: await readFile(files.key),
    };
  };
}
