import { runService } from "../platform/runtime/run-service.ts";
import { startPayment } from "./service.ts";

runService("payment", startPayment);
