import { runService } from "../platform/runtime/run-service.ts";
import { startOrder } from "./service.ts";

runService("order", startOrder);
