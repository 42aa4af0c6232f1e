import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError, type Client } from "@connectrpc/connect";
import type {
  ExecutePlanResponse,
  PlanSchema,
  SparkConnectService,
} from "../../../../gen/ts/spark/connect/base_pb.ts";
import { fullJitter, sleep } from "../../../platform/data/backoff.ts";
import type { SparkRun, Totals } from "../../domain/sort-job.ts";
import { errorClassOf, isBroken, isForgotten, sparkFailure } from "./errors.ts";
import { totalsOf } from "./totals.ts";

export type SparkClient = Client<typeof SparkConnectService>;

/** Who the service is, to Spark. */
export const userContext = { userId: "weft-sort" };

export interface Operation {
  readonly sessionId: string;
  readonly operationId: string;
  readonly plan: MessageInitShape<typeof PlanSchema>;
  /** Whether somebody else may have begun it: then it is only looked for. */
  readonly isBegun: boolean;
}

/** How an operation ended. */
export type OperationEnd =
  | { readonly kind: "complete"; readonly read: Totals | undefined }
  /** Spark knows nothing of it, and what it did is worth nothing. */
  | { readonly kind: "forgotten" };

/** Spark could not be reached for so long that somebody else should try. */
export class SparkAway extends Error {
  override readonly name = "SparkAway";
}

/** About two minutes of silence. */
const maxSilentTries = 20;

/**
 * Hands an operation to Spark and follows it to its end, over any number of streams: Spark ends each after some minutes,
 * networks sooner. The same operation handed over twice runs once.
 *
 * @throws DomainError SPARK_FAILED, INPUT_MISSING or SPARK_UNAVAILABLE, or SparkAway.
 */
export async function runOperation(
  client: SparkClient,
  operation: Operation,
  onStages: (progress: Stages) => void,
  signal: AbortSignal,
): Promise<OperationEnd> {
  let last: string | undefined;
  let isKnown = operation.isBegun;
  let read: Totals | undefined;
  for (let silent = 0; ;) {
    try {
      const answers =
        isKnown || last !== undefined
          ? reattach(client, operation, last, signal)
          : begin(client, operation, signal);
      for await (const answer of answers) {
        silent = 0;
        last = answer.responseId;
        read = totalsOf(answer.observedMetrics) ?? read;
        const { responseType } = answer;
        if (responseType.case === "executionProgress") {
          onStages(responseType.value);
        }
        if (responseType.case === "resultComplete") {
          return { kind: "complete", read };
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isForgotten(error)) return { kind: "forgotten" };
      if (errorClassOf(error) === "INVALID_HANDLE.OPERATION_ALREADY_EXISTS") {
        isKnown = true;
        continue;
      }
      if (!isBroken(error)) throw sparkFailure(error);
      silent += 1;
      if (silent > maxSilentTries) {
        throw new SparkAway("Spark does not answer", { cause: error });
      }
      await sleep(fullJitter(silent, 500, 10_000), signal);
    }
  }
}

/** What Spark tells of an operation that runs. */
export type Stages = Extract<
  ExecutePlanResponse["responseType"],
  { case: "executionProgress" }
>["value"];

function begin(
  client: SparkClient,
  { sessionId, operationId, plan }: Operation,
  signal: AbortSignal,
): AsyncIterable<ExecutePlanResponse> {
  return client.executePlan(
    {
      sessionId,
      operationId,
      userContext,
      plan,
      tags: ["weft-sort"],
      requestOptions: [
        {
          requestOption: {
            case: "reattachOptions",
            value: { reattachable: true },
          },
        },
      ],
    },
    { signal },
  );
}

function reattach(
  client: SparkClient,
  { sessionId, operationId }: Operation,
  last: string | undefined,
  signal: AbortSignal,
): AsyncIterable<ExecutePlanResponse> {
  return client.reattachExecute(
    {
      sessionId,
      operationId,
      userContext,
      ...(last !== undefined && { lastResponseId: last }),
    },
    { signal },
  );
}

/** Stops whatever runs for a job, waits until it has stopped, and lets Spark forget it. What Spark does not know is fine. */
export async function abandonRun(
  client: SparkClient,
  { sessionId, operationId }: SparkRun,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.interrupt(
      {
        sessionId,
        userContext,
        // All of the session, which is the job's own.
        interruptType: 1,
      },
      { signal },
    );
    await client.releaseExecute(
      {
        sessionId,
        operationId,
        userContext,
        release: { case: "releaseAll", value: {} },
      },
      { signal },
    );
    await client.releaseSession({ sessionId, userContext }, { signal });
  } catch (error) {
    if (!isForgotten(error)) throw ConnectError.from(error);
  }
}
