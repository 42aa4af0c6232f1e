/** A value that Lua can be given: text, numbers, flags, lists and tables of them. */
export type LuaValue =
  string | number | boolean | undefined | readonly LuaValue[] | LuaTable;

interface LuaTable {
  readonly [key: string]: LuaValue;
}

/** Writes a value as Lua writes it. Whatever a text holds, it stays a text: every octet but letters and digits is escaped. */
export function luaLiteral(value: LuaValue): string {
  if (value === undefined) return "nil";
  if (typeof value === "string") return `"${escapeText(value)}"`;
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `{${value.map(luaLiteral).join(", ")}}`;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([key, field]) => `[${luaLiteral(key)}] = ${luaLiteral(field)}`);
  return `{${fields.join(", ")}}`;
}

function isList(value: object): value is readonly LuaValue[] {
  return Array.isArray(value);
}

function escapeText(text: string): string {
  return [...Buffer.from(text)]
    .map((octet) => {
      const character = String.fromCharCode(octet);
      return /[A-Za-z0-9:/_.-]/.test(character)
        ? character
        : `\\${String(octet).padStart(3, "0")}`;
    })
    .join("");
}
