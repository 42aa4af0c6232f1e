import { dirname } from "node:path";
import { typed, type EnvoyConfig } from "./envoy-config.ts";

/** A certificate chain and its key, as paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Names a certificate in a TLS context. Envoy reads it anew when its file is replaced, where it learns of it by secret
 * discovery, which takes a file for each secret in `folder` ({@link secretFiles}); without one it reads it once.
 */
export function certificate(
  name: string,
  files: KeyPair,
  folder: string | undefined,
): EnvoyConfig {
  return folder === undefined
    ? { tls_certificates: [pemPair(files)] }
    : { tls_certificate_sds_secret_configs: [discovered(name, folder)] };
}

/** The same for the authority that signs a peer's certificate; `peer` says what else is asked of it. */
export function authority(
  name: string,
  ca: string,
  peer: EnvoyConfig,
  folder: string | undefined,
): EnvoyConfig {
  if (folder === undefined) {
    return { validation_context: { trusted_ca: { filename: ca }, ...peer } };
  }
  return {
    combined_validation_context: {
      default_validation_context: peer,
      validation_context_sds_secret_config: discovered(name, folder),
    },
  };
}

/** The files of secret discovery, by the names of their secrets. PEM files have to be replaced by a rename: folders are watched. */
export function secretFiles(secrets: {
  readonly certificates: Readonly<Record<string, KeyPair>>;
  readonly authorities: Readonly<Record<string, string>>;
}): { readonly file: string; readonly content: string }[] {
  const certificates = Object.entries(secrets.certificates).map(
    ([name, files]) =>
      secretFile(name, {
        tls_certificate: {
          ...pemPair(files),
          watched_directory: { path: dirname(files.cert) },
        },
      }),
  );
  const authorities = Object.entries(secrets.authorities).map(([name, ca]) =>
    secretFile(name, {
      validation_context: {
        trusted_ca: { filename: ca },
        watched_directory: { path: dirname(ca) },
      },
    }),
  );
  return [...certificates, ...authorities];
}

function secretFile(name: string, fields: EnvoyConfig) {
  const secret = typed("envoy.extensions.transport_sockets.tls.v3.Secret", {
    name,
    ...fields,
  });
  const content = `${JSON.stringify({ resources: [secret] }, null, 2)}\n`;
  return { file: `${name}.json`, content };
}

function pemPair({ cert, key }: KeyPair): EnvoyConfig {
  return {
    certificate_chain: { filename: cert },
    private_key: { filename: key },
  };
}

function discovered(name: string, folder: string): EnvoyConfig {
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      path_config_source: { path: `${folder}/${name}.json` },
    },
  };
}
