#!/usr/bin/env node
import { runNodeJs } from "@bufbuild/protoplugin";
import { edgePlugin } from "./edge-plugin.ts";

runNodeJs(edgePlugin);
