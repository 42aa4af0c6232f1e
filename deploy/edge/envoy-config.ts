/** A piece of Envoy's configuration; Envoy itself checks its shape (`envoy --mode validate`). */
export type EnvoyConfig = Readonly<Record<string, unknown>>;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** An `Any` of Envoy's API: `envoy.extensions...v3.Name` with its fields. */
export function typed(type: string, fields: EnvoyConfig = {}): EnvoyConfig {
  return { "@type": `type.googleapis.com/${type}`, ...fields };
}

/** A duration as ProtoJSON writes it. */
export function duration(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}

export function socketAddress({ host, port }: Endpoint): EnvoyConfig {
  return { socket_address: { address: host, port_value: port } };
}

/** Sets a header to exactly this value, whatever was there. */
export function setHeader(key: string, value: string): EnvoyConfig {
  return {
    header: { key, value },
    append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
  };
}
