import { runService } from "../platform/runtime/run-service.ts";
import { startFiles } from "./service.ts";

runService("files", startFiles);
