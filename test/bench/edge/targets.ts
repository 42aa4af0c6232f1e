export interface Target {
  readonly what: string;
  readonly value: number;
  readonly is: ">=" | "<=";
  readonly limit: number;
  readonly met: boolean;
}

/** What was measured against what is aimed at. */
export function targets(
  rows: readonly (readonly [string, number, ">=" | "<=", number])[],
): Target[] {
  const judged = rows.map(([what, value, is, limit]) => {
    const met = is === ">=" ? value >= limit : value <= limit;
    return { what, value: Number(value.toFixed(2)), is, limit, met };
  });
  console.table(judged);
  return judged;
}
