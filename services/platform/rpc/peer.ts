import type { TLSSocket } from "node:tls";

const trustDomain = "spiffe://weft/";

// Reading a certificate costs 28 us, and one connection carries thousands of calls.
const peers = new WeakMap<TLSSocket, string>();

/**
 * The service at the other end of a mutually authenticated connection: the last part of its certificate's URI SAN
 * `spiffe://weft/<service>` (SPIFFE ID). Undefined where the certificate was not verified or has no such name.
 */
export function peerOfSocket(socket: TLSSocket): string | undefined {
  const known = peers.get(socket);
  if (known !== undefined) {
    return known;
  }
  if (!socket.authorized) {
    return undefined;
  }
  const peer = peerOfNames(socket.getPeerCertificate().subjectaltname);
  if (peer !== undefined) {
    peers.set(socket, peer);
  }
  return peer;
}

/** The service that a certificate's subject alternative names (as Node prints them) speak for. */
export function peerOfNames(names: string | undefined): string | undefined {
  const uri = names
    ?.split(", ")
    .find((name) => name.startsWith(`URI:${trustDomain}`));
  return uri?.slice("URI:".length + trustDomain.length);
}
