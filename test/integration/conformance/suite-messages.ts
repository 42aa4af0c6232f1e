import type { Message } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Code } from "@connectrpc/connect";

// The messages of the suite that its programs exchange with ours (connectrpc/conformance/v1/*.proto), as far as we read
// them. They are made from descriptors at run time, so nothing generates these types.

export interface SuiteHeader {
  readonly name: string;
  readonly value: readonly string[];
}

export interface SuiteError {
  readonly code: Code;
  readonly message?: string;
  readonly details: readonly Any[];
}

export interface UnaryDefinition {
  readonly responseHeaders: readonly SuiteHeader[];
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: SuiteError }
    | { readonly case: undefined };
  readonly responseTrailers: readonly SuiteHeader[];
  readonly responseDelayMs: number;
}

export interface StreamDefinition {
  readonly responseHeaders: readonly SuiteHeader[];
  readonly responseData: readonly Uint8Array[];
  readonly responseDelayMs: number;
  readonly error?: SuiteError;
  readonly responseTrailers: readonly SuiteHeader[];
}

export interface UnaryRequest extends Message {
  readonly responseDefinition?: UnaryDefinition;
}

export interface StreamRequest extends Message {
  readonly responseDefinition?: StreamDefinition;
  readonly fullDuplex?: boolean;
}

/** What every answer of the service carries. */
export interface SuitePayload extends Message {
  readonly data: Uint8Array;
}

export interface ServerCompatRequest extends Message {
  /** 1 Connect, 2 gRPC, 3 gRPC-Web. */
  readonly protocol: number;
}

export interface ClientCompatRequest extends Message {
  readonly testName: string;
  readonly host: string;
  readonly port: number;
  readonly service?: string;
  readonly method?: string;
  /** 1 unary, 2 and 3 client and server stream, 4 and 5 half and full duplex. */
  readonly streamType: number;
  readonly requestHeaders: readonly SuiteHeader[];
  readonly requestMessages: readonly Any[];
  readonly timeoutMs?: number;
  readonly requestDelayMs: number;
  readonly cancel?: {
    readonly cancelTiming:
      | { readonly case: "beforeCloseSend" }
      | { readonly case: "afterCloseSendMs"; readonly value: number }
      | { readonly case: "afterNumResponses"; readonly value: number }
      | { readonly case: undefined };
  };
}
