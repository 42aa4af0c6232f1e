#!/usr/bin/env node
import { runNodeJs } from "@bufbuild/protoplugin";
import { docsPlugin } from "./docs-plugin.ts";

runNodeJs(docsPlugin);
