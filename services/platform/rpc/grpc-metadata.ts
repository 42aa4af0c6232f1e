import { Metadata } from "@grpc/grpc-js";
import {
  decodeBinaryHeader,
  encodeBinaryHeader,
  type Transport,
} from "@connectrpc/connect";
import type { OutgoingHttpHeader } from "node:http";
import type { OutgoingHttpHeaders } from "node:http2";

/** Metadata that writes binary values without padding, as gRPC over HTTP/2 asks of a sender; grpc-js pads them. */
export class UnpaddedMetadata extends Metadata {
  override clone(): UnpaddedMetadata {
    const copy = new UnpaddedMetadata(this.getOptions());
    copy.merge(this);
    return copy;
  }

  override toHttp2Headers(): OutgoingHttpHeaders {
    const headers = super.toHttp2Headers();
    for (const key of Object.keys(headers)) {
      if (key.endsWith("-bin")) {
        headers[key] = unpadded(headers[key]);
      }
    }
    return headers;
  }
}

function unpadded(value: OutgoingHttpHeader | undefined) {
  const strip = (text: string) => text.replace(/=+$/, "");
  return Array.isArray(value) ? value.map(strip) : strip(String(value));
}

/** Headers as Connect hands them to a transport. */
export type RequestHeaders = Parameters<Transport["unary"]>[3];

/** gRPC metadata as Fetch headers; values of `-bin` keys become base64, as on the wire. */
export function metadataToHeaders(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key)) {
      headers.append(
        key,
        typeof value === "string" ? value : encodeBinaryHeader(value),
      );
    }
  }
  return headers;
}

/** Fetch headers as gRPC metadata; the reverse of {@link metadataToHeaders}. */
export function headersToMetadata(
  headers: NonNullable<RequestHeaders>,
): Metadata {
  const metadata = new UnpaddedMetadata();
  for (const [key, value] of entriesOf(headers)) {
    if (key.endsWith("-bin")) {
      for (const item of value.split(",")) {
        metadata.add(key, Buffer.from(decodeBinaryHeader(item.trim())));
      }
    } else {
      metadata.set(key, value);
    }
  }
  return metadata;
}

/** Without a `Headers` in between, which costs 1 us and is thrown away. */
function entriesOf(
  headers: NonNullable<RequestHeaders>,
): Iterable<[string, string]> {
  if (headers instanceof Headers) {
    return headers.entries();
  }
  const entries: string[][] = Array.isArray(headers)
    ? headers
    : Object.entries(headers);
  return entries.map(([key = "", value = ""]) => [key.toLowerCase(), value]);
}
