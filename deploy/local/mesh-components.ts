import {
  ComponentUnavailable,
  type Component,
  type StartOptions,
} from "./component.ts";
import { startJaeger, type Jaeger } from "./components/jaeger.ts";
import { startKafka, type Kafka } from "./components/kafka.ts";
import {
  startObjectStore,
  type ObjectStore,
} from "./components/object-store.ts";
import { startPostgres, type Postgres } from "./components/postgres.ts";
import { startRedis, type Redis } from "./components/redis.ts";
import { startSpark, type Spark } from "./components/spark.ts";

const OPTIONAL = {
  redis: startRedis,
  jaeger: startJaeger,
  s3: startObjectStore,
  spark: startSpark,
} as const;

export type OptionalComponent = keyof typeof OPTIONAL;

export interface MeshComponents {
  readonly postgres: Postgres;
  readonly kafka: Kafka;
  readonly redis: Redis | undefined;
  readonly jaeger: Jaeger | undefined;
  readonly s3: ObjectStore | undefined;
  readonly spark: Spark | undefined;
}

/**
 * Starts the components in parallel and hands each to `onStarted` as it comes.
 * Without Postgres or Kafka it throws; each other one is named with the reason
 * and left out. All starts have ended when it returns or throws.
 */
export async function startComponents(
  optional: readonly OptionalComponent[],
  options: StartOptions & { readonly onProgress: (line: string) => void },
  onStarted: (component: Component, seconds: number) => void,
): Promise<MeshComponents> {
  // One failure stops the others' installations: minutes that nobody needs.
  const failed = new AbortController();
  const signals = [failed.signal, options.signal].filter(
    (signal) => signal !== undefined,
  );
  const shared = { ...options, signal: AbortSignal.any(signals) };

  async function begin<T extends Component>(
    start: (options: StartOptions) => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    const component = await start(shared);
    onStarted(component, (performance.now() - startedAt) / 1_000);
    return component;
  }

  async function required<T extends Component>(
    start: (options: StartOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await begin(start);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }

  async function tolerated<T extends Component>(
    name: OptionalComponent,
    start: (options: StartOptions) => Promise<T>,
  ): Promise<T | undefined> {
    if (!optional.includes(name)) return undefined;
    try {
      return await begin(start);
    } catch (error) {
      if (!(error instanceof ComponentUnavailable)) throw error;
      options.onProgress(`${error.message} The mesh starts without it.`);
      return undefined;
    }
  }

  const starts = [
    required(startPostgres),
    required(startKafka),
    tolerated("redis", OPTIONAL.redis),
    tolerated("jaeger", OPTIONAL.jaeger),
    tolerated("s3", OPTIONAL.s3),
    tolerated("spark", OPTIONAL.spark),
  ] as const;
  await Promise.allSettled(starts);
  if (failed.signal.aborted) throw failed.signal.reason;
  const [postgres, kafka, redis, jaeger, s3, spark] = await Promise.all(starts);
  return { postgres, kafka, redis, jaeger, s3, spark };
}
