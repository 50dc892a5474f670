// Completion indexes of a Job, written as "0-4,7".

type Indexes = { readonly count: number } | { readonly problem: string };

/** How many indexes the text names, or what is wrong with it (upstream's words). */
export function parseIndexes(text: string, completions: number): Indexes {
  if (text === "") return { count: 0 };
  let count = 0;
  let previous: number | undefined;
  for (const interval of text.split(",")) {
    const limits = interval.split("-");
    if (limits.length > 2)
      return {
        problem: `the fragment "${interval}" violates the requirement that an index interval can have at most two parts separated by '-'`,
      };
    const numbers: number[] = [];
    for (const limit of limits) {
      if (!/^[+-]?[0-9]+$/.test(limit)) return { problem: `cannot convert string to integer for index: "${limit}"` };
      numbers.push(Number(limit));
      const index = Number(limit);
      if (index >= completions) return { problem: `too large index: "${limit}"` };
      if (previous !== undefined && previous >= index)
        return { problem: `non-increasing order, previous: ${previous}, current: ${index}` };
      previous = index;
    }
    count += numbers.length === 2 ? (numbers[1] as number) - (numbers[0] as number) + 1 : 1;
  }
  return { count };
}
