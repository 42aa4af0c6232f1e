import { runService } from "../platform/runtime/run-service.ts";
import { startEvents } from "./service.ts";

runService("events", startEvents);
