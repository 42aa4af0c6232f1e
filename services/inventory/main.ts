import { runService } from "../platform/runtime/run-service.ts";
import { startInventory } from "./service.ts";

runService("inventory", startInventory);
