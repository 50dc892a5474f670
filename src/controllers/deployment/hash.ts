// The pod-template-hash: a short name for a template, stable across runs and machines.
import type { PodTemplateSpec } from "#api";

// Upstream's alphabet of generated names: no vowels, no 0, 1, 3.
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** FNV-1a of the template in canonical JSON, with the collision count mixed in; at most ten letters and digits. */
export function templateHash(template: PodTemplateSpec, collisionCount: number): string {
  let hash = 0x811c9dc5;
  const text = collisionCount === 0 ? canonical(template) : `${canonical(template)}#${collisionCount}`;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    hash = Math.imul(hash ^ (code & 0xff), 0x01000193);
    if (code > 0xff) hash = Math.imul(hash ^ (code >> 8), 0x01000193);
  }
  return [...String(hash >>> 0)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join("");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const record = value as Record<string, unknown>;
  const keys = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`).join()}}`;
}
