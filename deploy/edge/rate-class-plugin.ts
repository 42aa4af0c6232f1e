import { contractPlugin } from "../contracts/contract-plugin.ts";
import { describeRateClasses } from "./describe-rate-classes.ts";

/** The protoc plugin that writes `rate-classes.json` for the rate-limit service. The edge's plugin refuses faulty contracts. */
export const rateClassPlugin = contractPlugin(
  "protoc-gen-weft-rate-classes",
  "rate-classes.json",
  (contracts, registry) => {
    const classes = describeRateClasses(contracts, registry);
    return { content: `${JSON.stringify({ classes }, null, 2)}\n` };
  },
);
