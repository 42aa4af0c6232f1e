import { runService } from "../platform/runtime/run-service.ts";
import { startRateLimit } from "./service.ts";

runService("ratelimit", startRateLimit);
