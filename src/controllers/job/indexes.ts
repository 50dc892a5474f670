// Sets of completion indexes as text: "0-3,7,9".

export function parseIndexes(text: string | undefined): ReadonlySet<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const [from = "", to = from] = part.split("-");
    if (/^\d+$/.test(from) && /^\d+$/.test(to)) for (let index = Number(from); index <= Number(to); index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++;
    parts.push(end === at ? `${sorted[at]}` : `${sorted[at]}${end === at + 1 ? "," : "-"}${sorted[end]}`);
    at = end + 1;
  }
  return parts.join(",");
}
