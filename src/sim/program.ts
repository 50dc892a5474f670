// What a simulated container does, read from its command, its arguments and the pod's annotations. Pure.
import type { Pod } from "#api";

export const annotationPrefix = "sim.tiphys.dev/";

/** How a simulated container lives. */
export interface Program {
  /** Undefined: it runs on until it is stopped. */
  readonly durationMs: number | undefined;
  readonly exitCode: number;
  /** "" for what follows from the exit code. */
  readonly reason: string;
  /** After SIGTERM: how long it takes to end, and with which code. */
  readonly stopMs: number;
  readonly stopExitCode: number;
  /** What it prints, in order. */
  readonly output: readonly OutputLine[];
}

export interface OutputLine {
  /** After the start of the container. */
  readonly atMs: number;
  readonly text: string;
}

/** "500ms", "10s", "5m", "2h", "10" (seconds), "infinity". Undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === "infinity" || text === "inf") return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[(match[2] ?? "s") as "ms" | "s" | "m" | "h" | "d"]; // the expression allows no other
  return Number(match[1]) * unit;
}

/** The annotation for this container ("sim.tiphys.dev/duration.app"), else the one for all. */
export function annotation(pod: Pod, container: string, name: string): string | undefined {
  const annotations = pod.metadata.annotations;
  return annotations?.[`${annotationPrefix}${name}.${container}`] ?? annotations?.[annotationPrefix + name];
}

export function programOf(pod: Pod, container: string, command: readonly string[], args: readonly string[]): Program {
  const argv = [...command, ...args];
  const told = runCommand(argv);
  const isInit = pod.spec.initContainers?.some((item) => item.name === container && item.restartPolicy !== "Always") ?? false;
  // An init container that says nothing is done at once; anything else runs on.
  const base = told ?? (isInit ? { durationMs: 0, exitCode: 0, output: [] } : { durationMs: undefined, exitCode: 0, output: [] });
  const duration = annotation(pod, container, "duration");
  const exitCode = annotation(pod, container, "exit-code");
  const given = duration === undefined ? undefined : parseDuration(duration);
  const durationMs = given ?? base.durationMs ?? (exitCode === undefined ? undefined : 0);
  return {
    durationMs: durationMs === Number.POSITIVE_INFINITY ? undefined : durationMs,
    exitCode: exitCode === undefined ? base.exitCode : Number(exitCode),
    reason: annotation(pod, container, "exit-reason") ?? "",
    stopMs: parseDuration(annotation(pod, container, "stop-duration") ?? "0") ?? 0,
    stopExitCode: Number(annotation(pod, container, "stop-exit-code") ?? (argv.length === 0 ? 0 : 143)),
    output: base.output,
  };
}

interface Outcome {
  readonly durationMs: number | undefined;
  readonly exitCode: number;
  readonly output: readonly OutputLine[];
}

const line = (text: string): OutputLine => ({ atMs: 0, text });

/** Undefined for a command that we do not know. */
export function runCommand(argv: readonly string[]): Outcome | undefined {
  const [program = "", ...rest] = argv;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (["sh", "bash", "ash", "dash"].includes(name)) {
    const at = rest.findIndex((word) => /^-[a-z]*c$/.test(word));
    return at >= 0 && rest[at + 1] !== undefined ? runScript(rest[at + 1] as string) : undefined; // checked just before
  }
  if (name === "busybox" || name === "exec" || name === "env") return runCommand(rest);
  return runSimple(name, rest);
}

function runSimple(name: string, args: readonly string[]): Outcome | undefined {
  switch (name) {
    case "sleep": {
      const total = args.reduce((sum, word) => sum + (parseDuration(word) ?? Number.NaN), 0);
      if (Number.isNaN(total) || args.length === 0)
        return { durationMs: 0, exitCode: 1, output: [line(`sleep: invalid time interval '${args.join(" ")}'`)] };
      return { durationMs: total === Number.POSITIVE_INFINITY ? undefined : total, exitCode: 0, output: [] };
    }
    case "true":
    case ":":
      return { durationMs: 0, exitCode: 0, output: [] };
    case "false":
      return { durationMs: 0, exitCode: 1, output: [] };
    case "echo":
      return { durationMs: 0, exitCode: 0, output: [line(args.join(" "))] };
    default:
      return instant.has(name) ? { durationMs: 0, exitCode: 0, output: [] } : undefined;
  }
}

/** Commands that a script may contain and that we take for done at once. */
const instant = new Set([
  "cat",
  "cd",
  "chmod",
  "chown",
  "cp",
  "date",
  "env",
  "export",
  "hostname",
  "id",
  "ln",
  "ls",
  "mkdir",
  "mv",
  "printf",
  "pwd",
  "rm",
  "set",
  "test",
  "[",
  "touch",
  "trap",
  "umask",
  "uname",
  "wc",
  "whoami",
]);

/** A list of commands with ";", newlines, "&&" and "||". Loops, pipes and unknown commands: it runs on. */
export function runScript(script: string): Outcome | undefined {
  const parts = script.split(/(;|\n|&&|\|\|)/);
  let exitCode = 0;
  let durationMs = 0;
  const output: OutputLine[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const joint = i === 0 ? ";" : parts[i - 1];
    const text = (parts[i] ?? "").replace(/\s+\d?>>?\s*\S+/g, "").trim();
    if (text === "" || text.startsWith("#")) continue;
    if ((joint === "&&" && exitCode !== 0) || (joint === "||" && exitCode === 0)) continue;
    const words = (text.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
    const [name = "", ...args] = words;
    if (name === "exit") return { durationMs, exitCode: args[0] === undefined ? exitCode : Number(args[0]) & 255, output };
    const outcome = /[|&]/.test(text) ? undefined : runCommand(words);
    if (outcome === undefined) return { durationMs: undefined, exitCode: 0, output };
    for (const printed of outcome.output) output.push({ ...printed, atMs: durationMs + printed.atMs });
    if (outcome.durationMs === undefined) return { durationMs: undefined, exitCode: 0, output };
    durationMs += outcome.durationMs;
    exitCode = outcome.exitCode;
  }
  return { durationMs, exitCode, output };
}

/** "true": always; "before=30s", "after=30s": by the age of the container. */
export function failsNow(rule: string | undefined, ageMs: number): boolean {
  if (rule === undefined || rule === "" || rule === "false") return false;
  const [when = "", time = ""] = rule.split("=");
  const limit = parseDuration(time);
  if (limit === undefined) return true;
  return when === "before" ? ageMs < limit : ageMs >= limit;
}
