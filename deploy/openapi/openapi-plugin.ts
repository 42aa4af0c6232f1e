import { contractPlugin } from "../contracts/contract-plugin.ts";
import { openApiDocument } from "./document.ts";

/**
 * The protoc plugin of the REST API's description: an OpenAPI 3.1 document of every method that has a REST binding.
 */
export const openApiPlugin = contractPlugin(
  "protoc-gen-weft-openapi",
  "weft.openapi.json",
  (contracts, registry) => ({
    content: `${JSON.stringify(openApiDocument(contracts, registry), null, 2)}\n`,
  }),
);
