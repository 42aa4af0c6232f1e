import { readEnvelope } from "./parent-link.ts";
import { carryOut } from "./carry-out.ts";

/**
 * The process of one job: what a sort takes in memory goes with it, and it can be killed at any time. It gets its order by
 * the channel to the service that started it, and ends where that service does.
 */
readEnvelope(carryOut);
