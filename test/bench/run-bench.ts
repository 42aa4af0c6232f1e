/** `npm run bench <area>`: measures an area and writes `test/bench/results/<area>.json`. */
const areas: Readonly<
  Record<
    string,
    () => Promise<{ run(parts: readonly string[]): Promise<number> }>
  >
> = {
  rpc: () => import("./rpc/rpc-bench.ts"),
  edge: () => import("./edge/edge-bench.ts"),
  orders: () => import("./orders/orders-bench.ts"),
  sort: () => import("./sort/sort-bench.ts"),
};

const [name = "", ...parts] = process.argv.slice(2);
const load = Object.hasOwn(areas, name) ? areas[name] : undefined;
if (load) {
  const area = await load();
  process.exitCode = await area.run(parts);
} else {
  console.error(
    `npm run bench <area> [-- <part> ...]: ${Object.keys(areas).join(", ")}`,
  );
  process.exitCode = 2;
}
