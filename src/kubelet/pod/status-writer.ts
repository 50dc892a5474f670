// Sends pod statuses to the API: one request per pod at a time, the latest wins, failures are tried again.
import { ApiError, isConflict, isNotFound, type Pod, type PodStatus, pods, type Stored } from "#api";
import { type Clock, type Log, sleep } from "#base";
import { type Client, compareResourceVersions } from "#client";
import { statusPatch } from "./status-patch.ts";

interface Entry {
  /** The newest version of the object that was seen. */
  base: Pod;
  wanted: PodStatus | undefined;
  writing: Promise<void> | undefined;
  gone: boolean;
}

export class StatusWriter {
  readonly #entries = new Map<string, Entry>();
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #onGone: (uid: string) => void;

  /** `onGone` is called when the object is not there any more (or another one has its name). */
  constructor(deps: {
    readonly client: Client;
    readonly clock: Clock;
    readonly log: Log;
    readonly onGone: (uid: string) => void;
  }) {
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#onGone = deps.onGone;
  }

  /** `pod` is the object as last seen; `status` is what it should say. */
  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? "";
    const entry = this.#entries.get(uid) ?? { base: pod, wanted: undefined, writing: undefined, gone: false };
    this.#entries.set(uid, entry);
    if (isNewer(pod, entry.base)) entry.base = pod;
    entry.wanted = status;
    if (!entry.gone) entry.writing ??= this.#write(uid, entry);
  }

  /** Resolves when the latest status is written, or the object is gone. */
  async flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    while (entry?.writing !== undefined) await entry.writing;
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) entry.gone = true;
    this.#entries.delete(uid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the status writer is being stopped"));
    await Promise.all([...this.#entries.values()].map((entry) => entry.writing));
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    // What happens to a pod within one turn of the event loop becomes one request.
    await new Promise((resolve) => setImmediate(resolve));
    let last = "";
    for (let failures = 0; !entry.gone && !this.#stop.signal.aborted; ) {
      const body = entry.wanted === undefined ? undefined : statusPatch(uid, entry.base.status, entry.wanted);
      if (body === undefined) break;
      const { namespace, name } = entry.base.metadata;
      // a server that does not store what we send (an older one, an admission plugin) must not make us send it for ever
      const text = JSON.stringify(body);
      if (text === last) {
        this.#log.warn("the server does not take the status of a pod as it is", { pod: `${namespace}/${name}`, patch: text });
        break;
      }
      last = text;
      try {
        const reply: Stored<Pod> = await this.#client.patch(
          pods,
          { namespace, name: name ?? "" },
          { type: "strategic", body },
          { subresource: "status", signal: this.#stop.signal },
        );
        entry.base = reply;
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        if (isNotFound(error) || isConflict(error)) {
          entry.gone = true;
          this.#onGone(uid);
          break;
        }
        failures++;
        last = "";
        const final = error instanceof ApiError && error.code >= 400 && error.code < 500 && error.code !== 429;
        this.#log.warn("cannot write the status of a pod", { pod: `${namespace}/${name}`, error: (error as Error).message });
        await sleep(this.#clock, final ? 10_000 : Math.min(200 * 2 ** failures, 10_000), this.#stop.signal).catch(() => {});
      }
    }
    entry.writing = undefined;
  }
}

function isNewer(pod: Pod, than: Pod): boolean {
  const [mine, theirs] = [pod.metadata.resourceVersion, than.metadata.resourceVersion];
  return mine !== undefined && (theirs === undefined || compareResourceVersions(mine, theirs) > 0);
}
