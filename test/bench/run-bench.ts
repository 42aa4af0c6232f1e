/** `npm run bench <area>`: measures an area and writes `test/bench/results/<area>.json`. */
const areas: Readonly<
  Record<string, () => Promise<{ run(): Promise<number> }>>
> = {
  rpc: () => import("./rpc/rpc-bench.ts"),
  orders: () => import("./orders/orders-bench.ts"),
  sort: () => import("./sort/sort-bench.ts"),
};

const [name = ""] = process.argv.slice(2);
const load = Object.hasOwn(areas, name) ? areas[name] : undefined;
if (load) {
  const area = await load();
  process.exitCode = await area.run();
} else {
  console.error(`npm run bench <area>: ${Object.keys(areas).join(", ")}`);
  process.exitCode = 2;
}
