import { DomainError } from "../runtime/errors.ts";

/** What has come of a transaction's branch for good: its work is committed, or it was rolled back and is refused. */
export interface Barrier {
  readonly operation: "prepare" | "rollback";
  /** The coordinator's, under which that happened. */
  readonly epoch: bigint;
}

/** What a coordinator asks of a branch. */
export interface BranchRequest {
  readonly operation: "prepare" | "rollback";
  readonly epoch: bigint;
}

export type Verdict =
  /** The first of its kind: it takes effect. */
  | "enter"
  /** It took effect before. */
  | "repeated"
  /** A prepare after the rollback that refuses it: it comes late, or the transaction is over. */
  | "rolled back"
  /** A rollback of what is committed. */
  | "committed"
  /** Of a coordinator that another one has replaced. */
  | "stale";

/**
 * Whether a request may take effect, given what came before it: the rule of the sub-transaction barrier (dtm, "sub-transaction
 * barrier") with epochs. One row a transaction and participant serves all of it: the key that both operations insert makes
 * a rollback wait for the prepare that is under way, makes a rollback that comes first ("empty compensation") refuse the
 * prepare that comes late ("hanging action"), and lets a repetition do nothing.
 *
 * A rollback refuses its epoch and all below; a coordinator that took over may prepare anew under a higher one.
 */
export function judge(
  barrier: Barrier | undefined,
  { operation, epoch }: BranchRequest,
): Verdict {
  if (barrier === undefined) return "enter";
  if (barrier.operation === "prepare") {
    if (epoch < barrier.epoch) return "stale";
    return operation === "prepare" ? "repeated" : "committed";
  }
  if (epoch < barrier.epoch) return "stale";
  if (operation === "rollback") {
    return epoch === barrier.epoch ? "repeated" : "enter";
  }
  return epoch === barrier.epoch ? "rolled back" : "enter";
}

/** The refusal that a verdict means for whoever asked; undefined where it is none. */
export function refusalOf(
  verdict: Verdict,
  transaction: string,
  barrier: Barrier | undefined,
): DomainError | undefined {
  switch (verdict) {
    case "enter":
    case "repeated":
      return undefined;
    case "rolled back":
      return branchRolledBack(transaction);
    case "committed":
      return branchError(
        "failed_precondition",
        "BRANCH_COMMITTED",
        transaction,
        "is committed",
      );
    case "stale":
      return staleEpoch(transaction, barrier?.epoch ?? 0n);
  }
}

export function staleEpoch(transaction: string, epoch: bigint): DomainError {
  return branchError(
    "aborted",
    "STALE_EPOCH",
    transaction,
    `has a newer coordinator, of epoch ${epoch}`,
    { epoch: `${epoch}` },
  );
}

export function branchRolledBack(transaction: string): DomainError {
  return branchError(
    "failed_precondition",
    "BRANCH_ROLLED_BACK",
    transaction,
    "was rolled back",
  );
}

export function branchNotPrepared(transaction: string): DomainError {
  return branchError(
    "failed_precondition",
    "BRANCH_NOT_PREPARED",
    transaction,
    "has no branch here to commit",
  );
}

export function branchBusy(transaction: string, cause: unknown): DomainError {
  return branchError(
    "aborted",
    "BRANCH_BUSY",
    transaction,
    "waits too long for what others hold",
    {},
    cause,
  );
}

function branchError(
  code: "failed_precondition" | "aborted",
  reason: string,
  transaction: string,
  fault: string,
  metadata: Readonly<Record<string, string>> = {},
  cause?: unknown,
): DomainError {
  return new DomainError({
    code,
    reason,
    message: `The transaction ${transaction} ${fault}.`,
    metadata: { transaction, ...metadata },
    cause,
  });
}
