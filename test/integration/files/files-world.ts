import { fromBinary } from "@bufbuild/protobuf";
import {
  type Client,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import { onTestFinished } from "vitest";
import type { ObjectStore as StoreServer } from "../../../deploy/local/components/object-store.ts";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import {
  FileDeletedSchema,
  FileUploadedSchema,
} from "../../../gen/ts/weft/files/v1/file_events_pb.ts";
import { FilesService } from "../../../gen/ts/weft/files/v1/files_service_pb.ts";
import type { FileLimits } from "../../../services/files/app/file-limits.ts";
import { sweepOnce } from "../../../services/files/app/sweep-files.ts";
import { createObjectStore } from "../../../services/files/clients/object-store.ts";
import { announceThrough } from "../../../services/files/events/announce-file.ts";
import { fileToProto } from "../../../services/files/rpc/file-to-proto.ts";
import { filesService } from "../../../services/files/rpc/files-service.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { createPageTokens } from "../../../services/platform/rpc/page-token.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import type { TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

export type FilesClient = Client<typeof FilesService>;

export interface World {
  readonly db: Database;
  readonly tenant: string;
  /** A user of this world's tenant, with every scope. */
  user(subject?: string, tenant?: string): FilesClient;
  /** The service `sort`, for a user of this world's tenant. */
  sort(subject?: string): FilesClient;
  sweep(): Promise<void>;
  /** Moves the service's clock. */
  pass(ms: number): void;
  /** The types of what was announced, oldest first. */
  announced(): Promise<string[]>;
}

const defaults: FileLimits = {
  maxBytes: 10n * 1024n ** 4n,
  contentTypes: ["text/*", "image/png", "application/octet-stream"],
  filesPerOwner: 1_000,
  uploadsPerOwner: 100,
  uploadUrlSeconds: 300,
  uploadTtlMs: 86_400_000,
};

/** The whole service but its sockets, over a real database and a real object store, for a tenant of its own. */
export function setupWorld(
  database: TestDatabase,
  server: Pick<
    StoreServer,
    "url" | "region" | "accessKeyId" | "secretAccessKey"
  >,
  limits: Partial<FileLimits> = {},
  publicEndpoint = server.url,
): World {
  const tenant = `tenant-${randomUUID()}`;
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "files test",
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  let offsetMs = 0;
  const now = () => new Date(Date.now() + offsetMs);
  const deps = {
    db,
    logger: silentLogger,
    now,
    newId: () => newId(),
    objects: createObjectStore({
      endpoint: server.url,
      publicEndpoint,
      region: server.region,
      bucket: "weft-files",
      accessKeyId: server.accessKeyId,
      secretAccessKey: new Secret(server.secretAccessKey),
    }),
    announce: announceThrough(
      createOutbox({ wake: () => undefined }),
      fileToProto,
      now,
    ),
    limits: { ...defaults, ...limits },
    pageTokens: createPageTokens(
      new Secret("a secret of 32 characters at least"),
    ),
  };
  const implementation = withMiddleware(
    { logger: silentLogger, validate: createValidate() },
    FilesService,
    filesService(deps).implementation,
  );
  const clientOf = (peer: string, headers: Readonly<Record<string, string>>) =>
    createClient(
      FilesService,
      createRouterTransport(
        (router) => void router.service(FilesService, implementation),
        {
          router: {
            interceptors: [
              (next) => (request) => {
                request.contextValues.set(peerKey, peer);
                for (const [name, value] of Object.entries(headers)) {
                  request.header.set(name, value);
                }
                return next(request);
              },
            ],
          },
        },
      ),
    );
  return {
    db,
    tenant,
    user: (subject = "ada", of = tenant) => {
      const claims = {
        sub: subject,
        tenant: of,
        scope: "files:read files:write",
      };
      const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
      return clientOf("edge", { [identityHeaders.claims]: encoded });
    },
    sort: (subject = "ada") =>
      clientOf("sort", {
        [identityHeaders.tenant]: tenant,
        [identityHeaders.subject]: subject,
      }),
    sweep: () => sweepOnce(deps, new AbortController().signal),
    pass: (ms) => void (offsetMs += ms),
    async announced() {
      const { rows } = await db.query<{ type: string; payload: Buffer }>(
        `select type, payload
         from outbox
         where tenant = $1
         order by position`,
        [tenant],
      );
      return rows.map(({ type, payload }) => {
        const name = type.split(".").at(-1) ?? "";
        const schema =
          name === "FileUploaded" ? FileUploadedSchema : FileDeletedSchema;
        fromBinary(schema, payload);
        return name;
      });
    },
  };
}

/** The reason of the refusal that `call` ends with. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof ConnectError)) {
    throw new Error("the call was not refused", { cause: thrown });
  }
  return thrown.findDetails(ErrorInfoSchema)[0]?.reason ?? thrown.message;
}
