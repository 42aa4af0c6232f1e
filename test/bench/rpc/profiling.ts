/** Node's arguments for a process to measure: with `BENCH_PROFILE=<folder>` it leaves a CPU profile there. */
export function execArgvOf(name: string): string[] {
  const folder = process.env["BENCH_PROFILE"];
  if (!folder) return [];
  return [
    "--cpu-prof",
    `--cpu-prof-dir=${folder}`,
    `--cpu-prof-name=${name.replace(/\W/g, "-")}.cpuprofile`,
  ];
}
