// /livez, /readyz, /healthz: the same checks in three groups, one path per check, with verbose and exclude.
import type { Answer } from "./answer.ts";
import { pageNotFound } from "./dispatch.ts";
import type { PathHandler } from "./paths.ts";
import { text } from "./paths.ts";
import { isTrue, type Query } from "./query.ts";

export interface HealthCheck {
  readonly name: string;
  /** Which of the three it belongs to. */
  readonly in: readonly ("livez" | "readyz" | "healthz")[];
  /** Undefined when healthy; otherwise the reason. */
  check(): string | undefined | Promise<string | undefined>;
}

type Group = "livez" | "readyz" | "healthz";
const groups: ReadonlySet<string> = new Set<Group>(["livez", "readyz", "healthz"]);

export function healthPaths(checks: readonly HealthCheck[]): PathHandler {
  return (request) => {
    const match = /^\/(livez|readyz|healthz)(?:\/(.+))?$/.exec(request.info.path);
    if (match === null || !groups.has(match[1] as string)) return undefined;
    const group = match[1] as Group;
    const mine = checks.filter((check) => check.in.includes(group));
    const [, , one] = match;
    if (one === undefined) return whole(group, mine, request.query);
    const check = mine.find((other) => other.name === one);
    return check === undefined ? pageNotFound : single(check);
  };
}

async function single(check: HealthCheck): Promise<Answer> {
  const problem = await check.check();
  return problem === undefined ? text("ok") : text(`internal server error: ${problem}\n`, 500);
}

async function whole(group: Group, checks: readonly HealthCheck[], query: Query): Promise<Answer> {
  const excluded = new Set(query.all("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines.push(`[+]${check.name} excluded: ok`);
      continue;
    }
    const problem = await check.check();
    if (problem === undefined) lines.push(`[+]${check.name} ok`);
    else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (excluded.size > 0)
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((name) => JSON.stringify(name)).join(",")}`,
    );
  if (failed) return text(`${lines.join("\n")}\n${group} check failed\n`, 500);
  if (!query.has("verbose") && !isTrue(query, "verbose")) return text("ok");
  return text(`${lines.join("\n")}\n${group} check passed\n`);
}
