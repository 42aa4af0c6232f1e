import type { TlsFiles } from "../../../services/platform/runtime/tls-files.ts";

/** One way of serving and calling GetOrder. All use mutual TLS and the same codec (protobuf-es). */
export interface Peer {
  /** Serves on a free port, or the port given; returns the port. */
  serve(tls: TlsFiles, port: number): Promise<number>;
  /** Returns a function that makes one call and throws unless it is answered in full. */
  connect(address: string, tls: TlsFiles, token?: string): () => Promise<void>;
}

export const peers = {
  platform: async () => (await import("./platform-peer.ts")).platformPeer,
  "bare grpc-js": async () =>
    (await import("./bare-grpc-peer.ts")).bareGrpcPeer,
  "connect-node gRPC": async () =>
    (await import("./connect-node-peer.ts")).connectNodePeer,
} as const satisfies Record<string, () => Promise<Peer>>;

export type PeerName = keyof typeof peers;
