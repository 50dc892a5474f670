// A disk store behind its etcd API that is killed at random moments and comes back at once, on the same directory and port.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Random, randomInt, sleep, systemClock } from "#base";
import { type Child, startChild } from "./child.ts";
import { Scratch } from "./scratch.ts";

const shortestLifeMs = 20;
const longestLifeMs = 700;

export class RestartingStore implements AsyncDisposable {
  kills = 0;
  readonly #scratch = new Scratch("restarting");
  readonly #random: Random;
  readonly #stop = new AbortController();
  #port = "0";
  #starts = 0;
  #child: Child | undefined;
  /** Waits to take over. */
  #standby: Child | undefined;
  #answered = Promise.withResolvers<void>();
  #killing: Promise<void> = Promise.resolve();

  private constructor(random: Random) {
    this.#random = random;
  }

  /** It is not killed before it has answered somebody. */
  static async start(random: Random): Promise<RestartingStore> {
    const store = new RestartingStore(random);
    await store.#start();
    store.#killing = store.#kill();
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Clients find out at their leisure that it is back: its days are counted from the first answer. */
  answered(): void {
    this.#answered.resolve();
  }

  /** No more kills; resolves when it is there to stay. */
  async calm(): Promise<void> {
    this.#stop.abort();
    this.#answered.resolve();
    await this.#killing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.calm();
    } finally {
      await this.#child?.kill();
      await this.#standby?.kill();
      this.#scratch[Symbol.dispose]();
    }
  }

  async #kill(): Promise<void> {
    for (;;) {
      await this.#answered.promise;
      const lifeMs = shortestLifeMs + randomInt(this.#random, longestLifeMs - shortestLifeMs);
      await sleep(systemClock, lifeMs, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted) return;
      await this.#child?.kill();
      this.#answered = Promise.withResolvers();
      this.kills++;
      await this.#start();
      if (this.#stop.signal.aborted) return; // calm() came meanwhile, and nobody asks any more
    }
  }

  async #start(): Promise<void> {
    this.#standby ??= this.#load();
    this.#child = this.#standby;
    this.#standby = undefined;
    writeFileSync(this.#signal(this.#starts), "");
    await this.#child.heard("ready");
    this.#port = this.#child.lines.find((line) => line.startsWith("port "))?.slice(5) ?? this.#port;
    this.#standby = this.#load();
    // Otherwise the next outage lasts as long as a process takes to load.
    await this.#standby.heard("loaded");
  }

  #load(): Child {
    return startChild("facade-child.ts", [join(this.#scratch.path, "data"), this.#port, this.#signal(++this.#starts)]);
  }

  #signal(start: number): string {
    return join(this.#scratch.path, `go-${start}`);
  }
}
