// Carries changes of services into the kernel: one transaction at a time, as many changes in it as have come together.
import type { Clock, Log, Processes, Timer } from "#base";
import { staleFlows } from "./conntrack.ts";
import type { FrameOptions } from "./frame.ts";
import { ItemLedger } from "./ledger.ts";
import { listing, parseListing } from "./listing.ts";
import type { ServiceRules } from "./model.ts";
import { renderDiff, renderFull, renderProbe, renderRemoval, renderTakeover } from "./render.ts";

export interface SynchronizerOptions {
  readonly frame: FrameOptions;
  /** Commands run in this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
  /** Least time between two transactions. */
  readonly minSyncPeriodMs: number;
  /** How often to see that nobody has removed our table. */
  readonly checkPeriodMs: number;
  /** What a service needs now; `before` is what it was given last. */
  plan(service: string, before: ServiceRules | undefined): ServiceRules | undefined;
  /** Told of each plan. */
  planned?(service: string, rules: ServiceRules | undefined): void;
}

export interface SynchronizerDeps {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Log;
}

const firstRetryMs = 250;
const maxRetryMs = 30_000;
/** A full load of tens of thousands of services takes seconds. */
const loadTimeoutMs = 120_000;

export class Synchronizer {
  readonly #options: SynchronizerOptions;
  readonly #deps: SynchronizerDeps;
  readonly #ledger = new ItemLedger();
  readonly #dirty = new Set<string>();
  readonly #idle: (() => void)[] = [];
  readonly #staleFlows: string[][] = [];
  #needsFull = true;
  #open = false;
  #stopped = false;
  #ended: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #check: Timer | undefined;
  #lastSyncAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: string | undefined;
  #conntrackMissing = false;

  constructor(options: SynchronizerOptions, deps: SynchronizerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Undefined when the kernel has what is known. */
  get trouble(): string | undefined {
    if (this.#failure !== undefined) return this.#failure;
    return this.#needsFull ? "rules are not loaded yet" : undefined;
  }

  /** When everything was in the kernel for the last time, in wall time; undefined before the first load. */
  syncedAt: number | undefined;

  /** Resolves when everything marked so far is in the kernel (also: never, while loading fails). */
  settled(): Promise<void> {
    if (this.#stopped || (!this.#needsFull && this.#dirty.size === 0 && this.#running === undefined)) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** From now on the kernel follows; before, changes only pile up (until everything has been listed). */
  open(): void {
    if (this.#stopped) return;
    this.#open = true;
    this.#schedule();
    this.#armCheck();
  }

  markDirty(service: string): void {
    this.#dirty.add(service);
    this.#schedule();
  }

  /** Ends the loop; the transaction under way is finished. With `cleanUp` the table goes. */
  stop(cleanUp: boolean): Promise<void> {
    this.#ended ??= this.#end(cleanUp);
    return this.#ended;
  }

  async #end(cleanUp: boolean): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#check?.cancel();
    await this.#running;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (cleanUp) await this.#nft(renderRemoval());
  }

  #schedule(): void {
    if (!this.#open || this.#stopped || this.#running !== undefined || this.#timer !== undefined) return;
    const delayMs =
      this.#failures > 0
        ? retryDelay(this.#failures)
        : this.#lastSyncAt + this.#options.minSyncPeriodMs - this.#deps.clock.monotonic();
    if (delayMs > 0) {
      this.#timer = this.#deps.clock.after(delayMs, () => this.#start());
      return;
    }
    this.#timer = { cancel: () => {} }; // at the end of this turn, with what else comes in it
    setImmediate(() => this.#start());
  }

  #start(): void {
    this.#timer = undefined;
    if (this.#stopped || this.#running !== undefined) return;
    this.#running = this.#sync().finally(() => {
      this.#running = undefined;
      if (this.#dirty.size > 0 || this.#needsFull) this.#schedule();
      else for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  async #sync(): Promise<void> {
    const { clock, log } = this.#deps;
    const startedAt = clock.monotonic();
    this.#plan();
    const full = this.#needsFull;
    const changes = this.#ledger.takeChanges();
    const script = full ? undefined : renderDiff(changes);
    try {
      if (script === undefined) await this.#load();
      else if (script !== "") await this.#nft(script);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#needsFull = false;
    this.#failures = 0;
    this.#failure = undefined;
    this.#lastSyncAt = clock.monotonic();
    this.syncedAt = clock.now();
    if (script !== "")
      log.debug("loaded rules", { full, changes: changes.length, durationMs: Math.round(this.#lastSyncAt - startedAt) });
    for (const command of this.#staleFlows.splice(0)) await this.#forgetFlows(command);
  }

  /** Everything, into the table that is there if that can be. */
  async #load(): Promise<void> {
    const { frame } = this.#options;
    const listed = await this.#run("nft", listing, {});
    const found = listed.code === 0 ? parseListing(listed.stdout) : undefined;
    if (found !== undefined) {
      try {
        return await this.#nft(renderTakeover(this.#ledger.content(), frame, found));
      } catch (error) {
        this.#deps.log.info("cannot take over the table that is there, replacing it", { error });
      }
    }
    await this.#nft(renderFull(this.#ledger.content(), frame));
  }

  /** Plans the services that changed. Flows are forgotten once the rules are in: earlier, the next packet would bring them back. */
  #plan(): void {
    for (const service of this.#dirty) {
      const before = this.#ledger.get(service);
      const after = this.#options.plan(service, before);
      this.#ledger.put(service, after);
      this.#options.planned?.(service, after);
      // At the first load every service is new to us, but its flows are good ones of the proxy before us.
      if (this.syncedAt !== undefined) this.#staleFlows.push(...staleFlows(before?.flows, after?.flows));
    }
    this.#dirty.clear();
  }

  /** The kernel's state is in doubt after a failure: the next attempt loads everything. */
  #failed(error: unknown): void {
    this.#needsFull = true;
    this.#failures++;
    this.#failure = `rules cannot be loaded: ${error instanceof Error ? error.message : String(error)}`;
    this.#deps.log.error("cannot load rules", { error, attempt: this.#failures, retryInMs: retryDelay(this.#failures) });
  }

  /** Somebody may flush the whole ruleset, as firewall services do when they start. */
  #armCheck(): void {
    this.#check = this.#deps.clock.after(this.#options.checkPeriodMs, () => {
      void this.#probe().finally(() => {
        if (!this.#stopped) this.#armCheck();
      });
    });
  }

  async #probe(): Promise<void> {
    if (this.#stopped || this.#needsFull || this.#running !== undefined) return;
    try {
      await this.#nft(renderProbe());
    } catch (error) {
      if (this.#stopped || this.#needsFull) return;
      this.#deps.log.warn("table is gone, loading it again", { error });
      this.#needsFull = true;
      this.#schedule();
    }
  }

  async #nft(script: string): Promise<void> {
    const result = await this.#run("nft", ["-f", "-"], { input: script, timeoutMs: loadTimeoutMs });
    if (result.code !== 0) throw new Error(`nft: ${firstLines(result.stderr)}`);
  }

  async #forgetFlows(args: readonly string[]): Promise<void> {
    if (this.#conntrackMissing) return;
    try {
      const result = await this.#run("conntrack", args, {});
      // It ends with 1 where there was nothing to delete.
      if (result.code !== 0 && !result.stderr.includes("0 flow entries"))
        this.#deps.log.warn("cannot forget connections", { args: args.join(" "), error: firstLines(result.stderr) });
    } catch (error) {
      this.#conntrackMissing = true;
      this.#deps.log.warn("cannot forget connections to endpoints that are gone: conntrack does not run", { error });
    }
  }

  #run(command: string, args: readonly string[], options: { input?: string; timeoutMs?: number }) {
    const { networkNamespace } = this.#options;
    const { processes } = this.#deps;
    return networkNamespace === undefined
      ? processes.run(command, args, options)
      : processes.run("ip", ["netns", "exec", networkNamespace, command, ...args], options);
  }
}

const retryDelay = (failures: number): number => Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1));
/** nft repeats the offending line, which may be a megabyte long. */
const firstLines = (text: string): string =>
  text
    .split("\n")
    .slice(0, 2)
    .map((line) => line.slice(0, 300))
    .join(" ")
    .trim();
