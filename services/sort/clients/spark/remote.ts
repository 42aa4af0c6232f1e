import { Secret } from "../../../platform/runtime/config.ts";

/** Where a Spark Connect server is. */
export interface SparkRemote {
  /** `host:port` */
  readonly address: string;
  readonly isTls: boolean;
  readonly token: Secret | undefined;
}

/**
 * Reads Spark's own connection string, `sc://host:port/;use_ssl=true;token=...`. A token is sent over TLS only, as Spark's
 * own clients do. Undefined where it is none.
 */
export function parseSparkRemote(text: string): SparkRemote | undefined {
  const found =
    /^sc:\/\/([a-zA-Z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?\/?(;.*)?$/.exec(text);
  if (!found) return undefined;
  const [, host = "", port = ":15002", rest = ""] = found;
  const settings = new Map(
    rest
      .split(";")
      .filter(Boolean)
      .map((item) => {
        const [name = "", value = ""] = item.split(/=(.*)/s);
        return [name, decodeURIComponent(value)] as const;
      }),
  );
  const token = settings.get("token");
  return {
    address: host + port,
    isTls: settings.get("use_ssl") === "true" || token !== undefined,
    token: token === undefined ? undefined : new Secret(token),
  };
}
