// Tables that are asked for keys which users write.

/** The value that a table itself has for a key: "constructor" and its like, which every object answers to, are undefined. */
export const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
