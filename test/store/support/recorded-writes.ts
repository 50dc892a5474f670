// The writes of a process to the files of one directory, in order, as strace recorded them; and what a disk may hold of them after a power
// cut: everything up to the last fsync of a file, and of what came later any part, down to single sectors.
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type Random, randomInt } from "#base";

const sector = 512;

type Step =
  | { readonly kind: "create" | "unlink" | "sync"; readonly file: string }
  | { readonly kind: "write"; readonly file: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly file: string; readonly size: number }
  | { readonly kind: "syncDirectory" }
  /** A line that the process printed. */
  | { readonly kind: "said"; readonly line: string };

/** strace's words before the command: all strings whole and in hexadecimal, descriptors with their paths. */
export const recording = (output: string): string[] => [
  "strace",
  "--follow-forks",
  "-qqq",
  `--output=${output}`,
  "--trace=openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink",
  "--strings-in-hex=all",
  "--string-limit=2000000",
  "--decode-fds=path",
];

/** Reads a recording; other directories are left out. */
export function readRecording(output: string, directory: string): Step[] {
  const steps: Step[] = [];
  const known = new Set<string>();
  const unfinished = new Map<string, string>();
  for (const line of readFileSync(output, "latin1").split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    // A write counts from its beginning, an fsync from its end: each as if the power had gone at the worse moment.
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1];
    if (begun !== undefined) unfinished.set(thread, begun);
    const ended = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const call = ended === undefined ? rest : `${unfinished.get(thread) ?? ""}${ended}`;
    const isSync = /^f(data)?sync\(/.test(call);
    if (isSync ? begun !== undefined : ended !== undefined) continue;
    const step = parse(call, directory, known);
    if (step !== undefined) steps.push(step);
  }
  return steps;
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll("\\x", ""), "hex");

function parse(call: string, directory: string, known: Set<string>): Step | undefined {
  if (/ = -1 /.test(call)) return undefined;
  const [, name = "", args = ""] = /^(\w+)\((.*)$/s.exec(call) ?? [];
  const text = bytesOf(/"([^"]*)"/.exec(args)?.[1] ?? "").toString("latin1");
  if (name === "write" && /^1</.test(args)) return { kind: "said", line: text.trim() };
  const descriptor = /^\d+<([^>]*)>/.exec(args)?.[1];
  const path = descriptor === undefined ? text : bytesOf(descriptor).toString("latin1");
  if (path === directory) return name === "fsync" && / = 0$/.test(args) ? { kind: "syncDirectory" } : undefined;
  if (dirname(path) !== directory) return undefined;
  return parseFileCall(name, args, basename(path), known);
}

function parseFileCall(name: string, args: string, file: string, known: Set<string>): Step | undefined {
  if (name === "openat") {
    if (!/O_CREAT/.test(args) || known.has(file)) return undefined;
    known.add(file);
    return { kind: "create", file };
  }
  if (name === "unlink") {
    known.delete(file);
    return { kind: "unlink", file };
  }
  if (name === "fsync" || name === "fdatasync") return / = 0$/.test(args) ? { kind: "sync", file } : undefined;
  if (name === "ftruncate") return { kind: "truncate", file, size: Number(/, (\d+)/.exec(args)?.[1]) };
  const written = /, "([^"]*)", \d+, (\d+)/.exec(args);
  return written === null ? undefined : { kind: "write", file, at: Number(written[2]), bytes: bytesOf(written[1] ?? "") };
}

class DiskFile {
  #durable: Buffer;
  #pending: (Step & { kind: "write" | "truncate" })[] = [];

  constructor(durable: Buffer = Buffer.alloc(0)) {
    this.#durable = durable;
  }

  add(step: Step & { kind: "write" | "truncate" }): void {
    this.#pending.push(step);
  }

  sync(): void {
    for (const step of this.#pending) this.#durable = applied(this.#durable, step);
    this.#pending = [];
  }

  /** After a power cut. */
  contents(random: Random): Buffer {
    let bytes = this.#durable;
    for (const step of this.#pending) {
      const fate = randomInt(random, 3);
      if (fate === 0) continue;
      if (fate === 1 || step.kind === "truncate") bytes = applied(bytes, step);
      else for (const part of sectors(step)) if (randomInt(random, 2) === 0) bytes = applied(bytes, part);
    }
    return bytes;
  }
}

function* sectors({ file, at, bytes }: Step & { kind: "write" }): Generator<Step & { kind: "write" }> {
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + sector - ((at + from) % sector));
    yield { kind: "write", file, at: at + from, bytes: bytes.subarray(from, to) };
    from = to;
  }
}

function applied(bytes: Buffer, step: Step & { kind: "write" | "truncate" }): Buffer {
  const size = step.kind === "truncate" ? step.size : Math.max(bytes.length, step.at + step.bytes.length);
  const next = Buffer.alloc(size);
  bytes.copy(next);
  if (step.kind === "write") step.bytes.copy(next, step.at);
  return next;
}

/** A disk that takes steps one after the other, and can be asked at any time what it would hold if the power failed now. */
export class Disk {
  readonly #files = new Map<string, DiskFile>();
  /** What the directory is sure to say, and the names changed since it was synced. */
  #names = new Map<string, DiskFile>();
  #changed = new Set<string>();

  constructor(files: Readonly<Record<string, Buffer>>) {
    for (const [name, bytes] of Object.entries(files)) this.#files.set(name, new DiskFile(bytes));
    this.#names = new Map(this.#files);
  }

  take(step: Step): void {
    if (step.kind === "said") return;
    if (step.kind === "syncDirectory") {
      this.#names = new Map(this.#files);
      this.#changed = new Set();
      return;
    }
    if (step.kind === "unlink") this.#files.delete(step.file);
    else if (step.kind === "create" && !this.#files.has(step.file)) this.#files.set(step.file, new DiskFile());
    else if (step.kind === "create") return;
    if (step.kind === "unlink" || step.kind === "create") this.#changed.add(step.file);
    const file = this.#files.get(step.file);
    if (file === undefined) return;
    if (step.kind === "write" || step.kind === "truncate") file.add(step);
    if (step.kind !== "sync") return;
    file.sync();
    // File systems that journal keep a new file's name when they keep the file.
    this.#names.set(step.file, file);
    this.#changed.delete(step.file);
  }

  afterPowerCut(random: Random): Map<string, Buffer> {
    const names = new Map(this.#names);
    for (const name of this.#changed) {
      const file = this.#files.get(name);
      if (randomInt(random, 2) === 0) continue;
      if (file === undefined) names.delete(name);
      else names.set(name, file);
    }
    return new Map([...names].map(([name, file]) => [name, file.contents(random)]));
  }
}
