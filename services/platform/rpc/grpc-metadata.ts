import { Metadata } from "@grpc/grpc-js";
import { decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";

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
export function headersToMetadata(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, key) => {
    if (key.endsWith("-bin")) {
      for (const item of value.split(",")) {
        metadata.add(key, Buffer.from(decodeBinaryHeader(item.trim())));
      }
    } else {
      metadata.set(key, value);
    }
  });
  return metadata;
}
