// One worker thread as an object with requests and answers.
import { Worker } from "node:worker_threads";
import { Backlog } from "./backlog.ts";
import type { Failure, Loaded, Reply, Request } from "./protocol.ts";
import type { Chunk } from "./wire.ts";

/** A request that the worker could not carry out. */
export class ThreadFailure extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

export const failureFrom = (error: unknown): Failure =>
  error instanceof ThreadFailure ? error.failure : { code: "io", message: String(error), definite: false };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #ids = 0;
  #dead: ThreadFailure | undefined;
  #onOpening: ((reply: Reply) => void) | undefined;

  /** `backlog`: of a worker that sends more than it was asked for. */
  constructor(program: URL, directory: string, onOpening?: (reply: Reply) => void, backlog?: Backlog) {
    this.#onOpening = onOpening;
    this.#worker = new Worker(program, { workerData: { directory, backlog: backlog?.shared }, name: "store" });
    this.#worker.on("message", (reply: Reply) => this.#take(reply));
    this.#worker.on("error", (error) =>
      this.#die(`the store's thread failed: ${error instanceof Error ? error.message : String(error)}`),
    );
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#die("the store's thread has ended");
        resolve();
      });
    });
  }

  /** Rejects with ThreadFailure. Buffers in `transfer` are gone for the caller. */
  request<T = unknown>(request: Request, transfer: readonly ArrayBuffer[] = []): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead);
        return;
      }
      const id = ++this.#ids;
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      // The thread keeps the process alive only while somebody waits for it.
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage({ id, request }, transfer as ArrayBuffer[]);
    });
  }

  /** Carries out what was asked before, closes, and waits for the thread to end. */
  async close(): Promise<void> {
    if (this.#dead === undefined) await this.request({ kind: "close" }).catch(() => {});
    this.#worker.ref();
    await this.#exited;
  }

  async exited(): Promise<void> {
    await this.#exited;
  }

  #take(reply: Reply): void {
    if (reply.kind === "done" || reply.kind === "failed") {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      if (reply.kind === "done") waiting?.resolve(reply.value);
      else waiting?.reject(new ThreadFailure(reply.failure));
      return;
    }
    this.#onOpening?.(reply);
    if (reply.kind === "loading") return;
    this.#onOpening = undefined; // it holds all that was read
    if (reply.kind === "loaded" && this.#waiting.size === 0) this.#worker.unref();
  }

  #die(message: string): void {
    this.#dead ??= new ThreadFailure({ code: "io", message, definite: false });
    this.#onOpening?.({ kind: "refused", failure: this.#dead.failure });
    this.#onOpening = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
  }
}

/** Starts the commit thread; resolves when the file is loaded. `onChunk` gets all records, newest first. */
export async function openCommitThread(
  directory: string,
  onChunk: (chunk: Chunk, compactedRevision: number) => void,
): Promise<{ readonly thread: Thread; readonly loaded: Loaded }> {
  const { promise, resolve, reject } = Promise.withResolvers<Loaded>();
  const backlog = new Backlog();
  const heard = (reply: Reply): void => {
    if (reply.kind === "loading") {
      backlog.taken();
      onChunk(reply.chunk, reply.compactedRevision);
    } else if (reply.kind === "loaded") resolve(reply.loaded);
    else if (reply.kind === "refused") reject(new ThreadFailure(reply.failure));
  };
  const thread = new Thread(new URL("./commit-worker.ts", import.meta.url), directory, heard, backlog);
  try {
    return { thread, loaded: await promise };
  } catch (error) {
    await thread.exited();
    throw error;
  }
}
