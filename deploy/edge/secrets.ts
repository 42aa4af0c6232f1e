import { dirname } from "node:path";
import { typed, type EnvoyConfig } from "./envoy-config.ts";

/** A certificate with its key, or an authority, that Envoy reads anew whenever its file is replaced. */
export type Secret =
  | { readonly name: string; readonly cert: string; readonly key: string }
  | { readonly name: string; readonly ca: string };

/** What renders as files beside the bootstrap: Envoy reloads what secret discovery tells it, and nothing else. */
export interface SecretFile {
  readonly name: string;
  readonly content: string;
}

/** The file of a secret. Its PEM files have to be replaced by a rename in their folder, which is what is watched. */
export function secretFile(secret: Secret): SecretFile {
  const resource = {
    ...typed("envoy.extensions.transport_sockets.tls.v3.Secret"),
    name: secret.name,
    ...("ca" in secret
      ? {
          validation_context: {
            trusted_ca: { filename: secret.ca },
            watched_directory: { path: dirname(secret.ca) },
          },
        }
      : {
          tls_certificate: {
            certificate_chain: { filename: secret.cert },
            private_key: { filename: secret.key },
            watched_directory: { path: dirname(secret.cert) },
          },
        }),
  };
  return {
    name: `${secret.name}.json`,
    content: `${JSON.stringify({ resources: [resource] }, null, 2)}\n`,
  };
}

/** How a TLS context names a secret whose file is in `folder`. */
export function secretConfig(folder: string, name: string): EnvoyConfig {
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      path_config_source: { path: `${folder}/${name}.json` },
    },
  };
}
