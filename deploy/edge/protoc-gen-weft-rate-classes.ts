#!/usr/bin/env node
import { runNodeJs } from "@bufbuild/protoplugin";
import { rateClassPlugin } from "./rate-class-plugin.ts";

runNodeJs(rateClassPlugin);
