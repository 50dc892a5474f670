// Query parameters, which may come more than once.

export interface Query {
  first(name: string): string | undefined;
  all(name: string): readonly string[];
  has(name: string): boolean;
  names(): Iterable<string>;
}

const none: readonly string[] = [];

function queryOf(values: Map<string, string[]>): Query {
  return {
    first: (name) => values.get(name)?.[0],
    all: (name) => values.get(name) ?? none,
    has: (name) => values.has(name),
    names: () => values.keys(),
  };
}

const emptyQuery: Query = queryOf(new Map());

/** Of a URL's query string, without the question mark. */
export function parseQuery(text: string): Query {
  if (text === "") return emptyQuery;
  const values = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return queryOf(values);
}

export function queryFromRecord(record: Readonly<Record<string, string>>): Query {
  return queryOf(new Map(Object.entries(record).map(([name, value]) => [name, [value]])));
}

/** The request line of a request that had none. */
export function uriOf(path: string, query: Readonly<Record<string, string>>): string {
  return Object.keys(query).length === 0 ? path : `${path}?${new URLSearchParams(query)}`;
}

/** Upstream's reading of a boolean: present and neither "false" (any case) nor "0". */
export function isTrue(query: Query, name: string): boolean {
  const value = query.first(name);
  return value !== undefined && value !== "0" && value.toLowerCase() !== "false";
}
