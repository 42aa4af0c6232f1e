import { contractPlugin } from "../contracts/contract-plugin.ts";
import { referencePage } from "./reference-page.ts";

/** The protoc plugin of the browsable reference: one HTML page of all contracts. */
export const docsPlugin = contractPlugin(
  "protoc-gen-weft-docs",
  "index.html",
  (contracts, registry) => ({ content: referencePage(contracts, registry) }),
);
