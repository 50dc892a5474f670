// How many fitting nodes are enough: large clusters are not searched to the end.

const minNodes = 100;
const minPercent = 5;

/** `percent` 0 is adaptive: 50 % of 100 nodes down to 5 % of 5,625 and more. Never fewer than 100 nodes. */
export function nodesToFind(nodeCount: number, percent: number): number {
  if (nodeCount < minNodes || percent >= 100) return nodeCount;
  const part = percent > 0 ? percent : Math.max(minPercent, 50 - Math.floor(nodeCount / 125));
  return Math.max(minNodes, Math.floor((nodeCount * part) / 100));
}
