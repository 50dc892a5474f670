// Reads a container's log file: the last lines, since a time, and on as it grows (a border module: it reads and watches files).
import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type LogLine, parseLogLine } from "./log-line.ts";
import type { LogQuery } from "./log-query.ts";

export interface LogSource {
  readonly path: string;
  /** Whether the container still writes: following ends when it does not and all is read. */
  running(): Promise<boolean>;
  /** Called when the container may have ended. */
  onChange(listener: () => void): Disposable;
}

const newline = 10;
const chunkBytes = 64 * 1024;

/** The requested bytes, piece by piece. Throws ENOENT where there is no log. */
export async function* readLog(source: LogSource, query: LogQuery, signal: AbortSignal): AsyncIterable<Buffer> {
  let handle = await open(source.path, "r");
  try {
    let position = query.tailLines === undefined ? 0 : await tailPosition(handle, query.tailLines, query.stream);
    let budget = query.limitBytes ?? Number.POSITIVE_INFINITY;
    let rest: Buffer = Buffer.alloc(0);
    const waiting = query.follow ? new Growth(source, signal) : undefined;
    try {
      let lineBegins = true;
      for (;;) {
        const wasRunning = waiting === undefined || (await source.running());
        waiting?.reset();
        for (;;) {
          const chunk = await readAt(handle, position);
          if (chunk.length === 0) break;
          position += chunk.length;
          rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
          const out: Buffer[] = [];
          for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
            const line = parseLogLine(rest.subarray(0, end));
            rest = rest.subarray(end + 1);
            if (line === undefined || !wanted(line, query)) continue;
            if (query.timestamps && lineBegins) out.push(Buffer.from(`${line.time} `));
            out.push(line.content);
            if (!line.partial) out.push(Buffer.from("\n"));
            lineBegins = !line.partial;
          }
          const bytes = Buffer.concat(out).subarray(0, Math.min(budget, Number.MAX_SAFE_INTEGER));
          budget -= bytes.length;
          if (bytes.length > 0) yield bytes;
          if (budget <= 0) return;
        }
        if (waiting === undefined || signal.aborted) return;
        const rotated = await successor(handle, source.path);
        if (rotated !== undefined) {
          await handle.close();
          handle = rotated;
          position = 0;
          continue;
        }
        if (!wasRunning) return;
        await waiting.changed;
      }
    } finally {
      waiting?.close();
    }
  } finally {
    await handle.close();
  }
}

const wanted = (line: LogLine, query: LogQuery): boolean =>
  (query.stream === "All" || query.stream.toLowerCase() === line.stream) &&
  (query.sinceMs === undefined || Date.parse(line.time) >= query.sinceMs);

async function readAt(handle: FileHandle, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position);
  return buffer.subarray(0, bytesRead);
}

/** Where the last `count` lines begin, found from the end without reading the whole file. */
async function tailPosition(handle: FileHandle, count: number, stream: LogQuery["stream"]): Promise<number> {
  const { size } = await handle.stat();
  if (count === 0) return size;
  if (stream !== "All") return 0;
  let found = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunkBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(end - start), 0, end - start, start);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] === newline && start + i !== size - 1 && ++found === count) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

/** After a rotation the name stands for a new file. */
async function successor(handle: FileHandle, path: string): Promise<FileHandle | undefined> {
  const [mine, named] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
  return named === undefined || named.ino === mine.ino ? undefined : open(path, "r");
}

/** Resolves `changed` when the file grew or rotated, the container ended, or the reader went away. */
class Growth {
  readonly #watcher: FSWatcher;
  readonly #change: Disposable;
  #next = Promise.withResolvers<void>();

  constructor(source: LogSource, signal: AbortSignal) {
    const notify = (): void => this.#next.resolve();
    // the directory, not the file: a watch on a file would follow it when it is rotated away
    const name = basename(source.path);
    this.#watcher = watch(dirname(source.path), (_event, changed) => {
      if (changed === null || changed === name) notify();
    });
    this.#watcher.on("error", notify);
    this.#change = source.onChange(notify);
    signal.addEventListener("abort", notify, { once: true });
  }

  get changed(): Promise<void> {
    return this.#next.promise;
  }

  reset(): void {
    this.#next = Promise.withResolvers<void>();
  }

  close(): void {
    this.#watcher.close();
    this.#change[Symbol.dispose]();
  }
}
