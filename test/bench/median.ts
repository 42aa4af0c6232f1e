/** The middle of the values; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (
    (at(sorted, Math.floor(middle - 0.5)) + at(sorted, Math.floor(middle))) / 2
  );
}

/** The value that a share (0 to 1) of the values does not exceed. */
export function percentile(
  values: readonly number[] | Float64Array,
  share: number,
): number {
  const sorted = values.toSorted((a, b) => a - b);
  return at(sorted, Math.ceil(sorted.length * share) - 1);
}

function at(values: ArrayLike<number>, index: number): number {
  const value = values[Math.max(0, index)];
  if (value === undefined) throw new Error("no values were measured");
  return value;
}
