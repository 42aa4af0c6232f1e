import { runService } from "../platform/runtime/run-service.ts";
import { startSort } from "./service.ts";

runService("sort", startSort);
