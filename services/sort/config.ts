import { availableParallelism } from "node:os";
import { isAbsolute } from "node:path";
import { z } from "zod";
import {
  address,
  databaseSettings,
  kafkaSettings,
  readConfig,
  secret,
  serviceSettings,
} from "../platform/runtime/config.ts";
import { parseSparkRemote } from "./clients/spark/remote.ts";

const count = (most: number) => z.coerce.number().int().min(1).max(most);

/** A comma list of `name=place`; `shape` is how a place that `isPlace` takes is written. */
const namedPlaces = (shape: string, isPlace: (place: string) => boolean) =>
  z
    .string()
    .default("")
    .transform((list, ctx) => {
      const entries = list
        .split(",")
        .map((item) => item.trim())
        .filter(Boolean)
        .map((item) => {
          const [name = "", place = ""] = item.split(/=(.*)/s);
          if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name) || !isPlace(place)) {
            ctx.addIssue({
              code: "custom",
              message: `${item} is not name=${shape}`,
            });
          }
          return [name, place] as const;
        });
      return new Map(entries);
    });

const folders = namedPlaces("/absolute/folder", isAbsolute);
const sparkFolders = namedPlaces("scheme://folder", (uri) =>
  /^[a-z0-9]+:\/\//.test(uri),
);

/** @throws ConfigError that names every variable at fault. */
export function readSortConfig(env: NodeJS.ProcessEnv) {
  return readConfig(
    {
      ...serviceSettings,
      ...databaseSettings,
      ...kafkaSettings,
      WEFT_PAGE_TOKEN_SECRET: secret(32),
      /** Of Files; without it jobs read and write URLs and folders only. */
      FILES_ADDRESS: address.optional(),
      /** Where runs go: a fast disk, and the same folder after a restart, so that jobs go on where they were. */
      SORT_TEMP_FOLDER: z.string().refine(isAbsolute, "must be absolute"),
      /** Tenants read and write subfolders of their own in them: `acme` has `/absolute/folder/acme`. */
      SORT_READ_FOLDERS: folders,
      SORT_WRITE_FOLDERS: folders,
      /** `host` or `host:port`, a comma list, that URLs of users may name; `*` allows all that this machine can reach. */
      SORT_URL_HOSTS: z
        .string()
        .default("")
        .transform((list) =>
          list
            .split(",")
            .map((item) => item.trim())
            .filter(Boolean),
        ),
      /** A Spark Connect server, as Spark's own clients name it: `sc://host:port/;use_ssl=true;token=...`. */
      SORT_SPARK_REMOTE: z
        .string()
        .transform((text, ctx) => {
          const remote = parseSparkRemote(text);
          if (!remote) {
            ctx.addIssue({
              code: "custom",
              message: "must be sc://host:port/;name=value",
            });
            return z.NEVER;
          }
          return remote;
        })
        .optional(),
      /** How Spark calls folders of the two lists above that it shares: `name=file:///folder,name=...`. */
      SORT_SPARK_FOLDERS: sparkFolders,
      /** Jobs that are followed there at a time. */
      SORT_SPARK_JOBS: count(64).default(4),
      /** Jobs at a time. Memory, temp space and workers are divided between them and the streams. */
      SORT_JOBS: count(64).default(2),
      SORT_STREAMS: count(64).default(2),
      /** Streams of one tenant at a time: all but one if unset, so that there is one for others. */
      SORT_TENANT_STREAMS: count(64).optional(),
      /** A stream whose client sends nothing, or takes nothing, for so long is ended. */
      SORT_STREAM_IDLE_SECONDS: count(3_600).default(60),
      SORT_MEMORY_BYTES: z.coerce
        .number()
        .int()
        .min(256 * 1024 * 1024)
        .default(1024 * 1024 * 1024),
      SORT_TEMP_BYTES: z.coerce.number().int().min(0).optional(),
      SORT_WORKERS: count(256).default(availableParallelism() + 1),
      /** Jobs of one tenant at a time, and waiting. */
      SORT_TENANT_JOBS: count(64).default(1),
      SORT_TENANT_QUEUE: count(10_000).default(20),
      /** Jobs of all tenants that wait. */
      SORT_QUEUE: count(100_000).default(500),
      SORT_STREAM_BYTES: z.coerce
        .number()
        .int()
        .min(1)
        .default(4 * 1024 ** 3),
      SORT_POLL_MS: z.coerce.number().int().min(10).max(60_000).default(1_000),
      /** How long a job is left to whoever has its temp folder, before another process begins it anew. */
      SORT_ABANDON_SECONDS: z.coerce.number().int().min(10).default(120),
      /** A job's process that says nothing for so long is frozen: it is killed, and the job goes on in another. */
      SORT_SILENT_SECONDS: count(3_600).default(60),
      SORT_WATCH_HEARTBEAT_MS: z.coerce
        .number()
        .int()
        .min(100)
        .max(300_000)
        .default(15_000),
      NODE_COMPILE_CACHE: z.string().optional(),
    },
    env,
  );
}
