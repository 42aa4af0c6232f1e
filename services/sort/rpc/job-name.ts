/** The id part of `sortJobs/{sort_job}`. The contract has checked its form. */
export function jobId(name: string): string {
  return name.slice("sortJobs/".length);
}
