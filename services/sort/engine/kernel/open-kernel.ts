import type { Kernel } from "./kernel.ts";
import { createTypescriptKernel } from "./typescript/typescript-kernel.ts";
import { createWasmKernel } from "./wasm-kernel.ts";

export type KernelChoice = "auto" | "wasm" | "typescript";

/** A kernel over a new memory; "auto" falls back to TypeScript where WebAssembly cannot be had. */
export function openKernel(choice: KernelChoice, bytes: number): Kernel {
  if (choice === "typescript") return createTypescriptKernel(bytes);
  try {
    return createWasmKernel(bytes);
  } catch (error) {
    if (choice === "wasm") throw error;
    return createTypescriptKernel(bytes);
  }
}
