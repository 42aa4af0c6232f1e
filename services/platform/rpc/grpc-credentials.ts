import {
  experimental,
  type ChannelCredentials,
  type ServerCredentials,
  type VerifyOptions,
} from "@grpc/grpc-js";
import type { TlsFiles } from "../runtime/tls-files.ts";

/** grpc-js's server side of mTLS. New connections meet the files as they are then; those that are open go on. */
export function serverCredentials(tls: TlsFiles): ServerCredentials {
  const provider = certificateProvider(tls);
  return experimental.createCertificateProviderServerCredentials(
    provider,
    provider,
    true,
  );
}

/** The client side of {@link serverCredentials}. */
export function channelCredentials(
  tls: TlsFiles,
  verify: VerifyOptions,
): ChannelCredentials {
  const provider = certificateProvider(tls);
  return experimental.createCertificateProviderChannelCredentials(
    provider,
    provider,
    verify,
  );
}

type Provider = experimental.CertificateProvider;
type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/**
 * grpc-js asks for one that watches files; ours has the files already, and tells of new ones. It tells a tick after it was
 * asked: a server that is told at once does not listen to itself yet (1.14.7), and drops every connection.
 */
function certificateProvider(tls: TlsFiles): Provider {
  const forCa = new Set<CaListener>();
  const forIdentity = new Set<IdentityListener>();
  let latest = tls;
  let stop: (() => void) | undefined;
  const tellCa = (listener: CaListener) =>
    listener({ caCertificate: latest.ca });
  const tellIdentity = (listener: IdentityListener) =>
    listener({ certificate: latest.cert, privateKey: latest.key });
  const watchWhileUsed = () => {
    const isUsed = forCa.size + forIdentity.size > 0;
    if (isUsed) {
      stop ??= tls.onChange?.((files) => {
        latest = files;
        forCa.forEach(tellCa);
        forIdentity.forEach(tellIdentity);
      });
    } else {
      stop?.();
      stop = undefined;
    }
  };
  return {
    addCaCertificateListener(listener) {
      forCa.add(listener);
      watchWhileUsed();
      process.nextTick(tellCa, listener);
    },
    removeCaCertificateListener(listener) {
      forCa.delete(listener);
      watchWhileUsed();
    },
    addIdentityCertificateListener(listener) {
      forIdentity.add(listener);
      watchWhileUsed();
      process.nextTick(tellIdentity, listener);
    },
    removeIdentityCertificateListener(listener) {
      forIdentity.delete(listener);
      watchWhileUsed();
    },
  };
}
