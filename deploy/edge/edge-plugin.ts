import { contractPlugin } from "../contracts/contract-plugin.ts";
import { findCommentFaults } from "./comment-faults.ts";
import { findContractFaults } from "./contract-faults.ts";
import { describeRoutes } from "./describe-routes.ts";

/**
 * The protoc plugin of the edge: writes `routes.json`, what the edge has to know of every method, and refuses contracts
 * that leave something open (see `contract-faults.ts`). All faults are reported at once, a line each.
 */
export const edgePlugin = contractPlugin(
  "protoc-gen-weft-edge",
  "routes.json",
  (contracts, registry) => {
    const faults = [
      ...findContractFaults(contracts, registry),
      ...findCommentFaults(contracts),
    ];
    if (faults.length > 0) {
      return { error: ["the contracts are refused:", ...faults].join("\n  ") };
    }
    const routes = describeRoutes(contracts, registry);
    return { content: `${JSON.stringify(routes, null, 2)}\n` };
  },
);
