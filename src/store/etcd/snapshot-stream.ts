// One answer to Maintenance.Snapshot: sent as fast as the client reads, given up when it stops reading.
import type { Clock } from "#base";
import type { History } from "../engine/history.ts";
import { planSnapshot, snapshotBytes } from "../snapshot/save.ts";
import type { FacadeStream, FacadeStreamHandler } from "./facade.ts";
import { FacadeError } from "./facade-errors.ts";
import type { WireHeader } from "./wire.ts";

interface SnapshotStreamOptions {
  readonly clock: Clock;
  readonly stream: FacadeStream;
  readonly header: () => WireHeader;
  readonly open: () => Promise<History>;
}

/** Bytes a message; etcd sends 32 KiB. */
const blobBytes = 64 * 1024;
/** A snapshot keeps the store from removing old versions: a client that reads nothing for so long has gone. */
const stalledMs = 60_000;

export class SnapshotStream implements FacadeStreamHandler {
  readonly #options: SnapshotStreamOptions;
  #started = false;
  #ended = false;
  #wake = (): void => {};

  constructor(options: SnapshotStreamOptions) {
    this.#options = options;
  }

  message(): void {
    if (this.#started) return;
    this.#started = true;
    const { stream } = this.#options;
    this.#send().then(
      () => stream.end(),
      (error) => stream.fail(error),
    );
  }

  drained(): void {
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #send(): Promise<void> {
    using history = await this.#options.open();
    const plan = await planSnapshot(history);
    let remaining = plan.totalBytes;
    let pages: Buffer[] = [];
    let waiting = 0;
    for await (const page of snapshotBytes(history, plan)) {
      pages.push(page);
      waiting += page.length;
      remaining -= page.length;
      if (waiting < blobBytes && remaining > 0) continue;
      if (this.#ended) return;
      const blob = Buffer.concat(pages);
      pages = [];
      waiting = 0;
      if (!this.#options.stream.send({ header: this.#options.header(), remaining_bytes: remaining, blob })) await this.#drain();
    }
  }

  async #drain(): Promise<void> {
    let stalled = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(stalledMs, () => {
      stalled = true;
      resolve();
    });
    this.#wake = resolve;
    await promise;
    timer.cancel();
    if (stalled) throw new FacadeError("DEADLINE_EXCEEDED", `the client has read nothing for ${stalledMs / 1000} s`);
  }
}
