// Keeps a table in the kernel equal to what its owners contribute: one transaction at a time, as many changes in it as have come together.
import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Processes } from "../processes.ts";
import { type Command, commandIn } from "./command.ts";
import type { Contribution, Table } from "./items.ts";
import { ItemLedger } from "./ledger.ts";
import { listing, parseListing } from "./listing.ts";
import { renderDiff, renderFull, renderProbe, renderRemoval, renderTakeover } from "./render.ts";

export interface SynchronizerOptions<C extends Contribution> {
  readonly table: Table;
  /** Commands run in this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
  /** Least time between two transactions. */
  readonly minSyncPeriodMs: number;
  /** How often to see that nobody has removed our table. */
  readonly checkPeriodMs: number;
  /** Nobody contributes anything: then there is no table either. */
  readonly absentWhenEmpty?: boolean;
  /** What an owner needs now; `before` is what it was given last. It may mark others dirty: they are planned with it. */
  plan(owner: string, before: C | undefined): C | undefined;
  /** Told of each plan. */
  planned?(owner: string, after: C | undefined, before: C | undefined): void;
  /** All that was planned is in the kernel; the next transaction waits for this. */
  loaded?(): Promise<void>;
}

export interface SynchronizerDeps {
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Log;
}

const firstRetryMs = 250;
const maxRetryMs = 30_000;

export class TableSynchronizer<C extends Contribution> {
  readonly #options: SynchronizerOptions<C>;
  readonly #deps: SynchronizerDeps;
  readonly #run: Command;
  readonly #ledger = new ItemLedger<C>();
  readonly #dirty = new Set<string>();
  readonly #idle: (() => void)[] = [];
  #needsFull = true;
  /** We have seen to it that there is no table. */
  #isAbsent = false;
  #open = false;
  #stopped = false;
  #ended: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #check: Timer | undefined;
  #lastSyncAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: string | undefined;

  constructor(options: SynchronizerOptions<C>, deps: SynchronizerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#run = commandIn(options.networkNamespace, deps.processes);
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
    if (this.#stopped || this.#open) return;
    this.#open = true;
    this.#schedule();
    this.#armCheck();
  }

  markDirty(owner: string): void {
    this.#dirty.add(owner);
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
    if (cleanUp && !this.#isAbsent) await this.#nft(renderRemoval(this.#options.table));
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

  /** A plan that throws is a failure like any other: tried again later, while the kernel keeps what it has. */
  async #sync(): Promise<void> {
    try {
      this.#plan();
      await this.#write();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#needsFull = false;
    this.#failures = 0;
    this.#failure = undefined;
    this.#lastSyncAt = this.#deps.clock.monotonic();
    this.syncedAt = this.#deps.clock.now();
    await this.#options.loaded?.();
  }

  /** What the plans have changed, or everything. */
  async #write(): Promise<void> {
    const { clock, log } = this.#deps;
    const { table } = this.#options;
    const startedAt = clock.monotonic();
    const toBeAbsent = this.#options.absentWhenEmpty === true && this.#ledger.isEmpty;
    const full = !toBeAbsent && (this.#needsFull || this.#isAbsent);
    const changes = this.#ledger.takeChanges();
    const script = toBeAbsent ? (this.#isAbsent ? "" : renderRemoval(table)) : full ? undefined : renderDiff(table, changes);
    if (script === undefined) await this.#load();
    else if (script !== "") await this.#nft(script);
    this.#isAbsent = toBeAbsent;
    if (script !== "")
      log.debug("loaded rules", { full, changes: changes.length, durationMs: Math.round(clock.monotonic() - startedAt) });
  }

  /** Everything, into the table that is there if that can be. */
  async #load(): Promise<void> {
    const { table } = this.#options;
    const listed = await this.#run("nft", listing(table));
    const found = listed.code === 0 ? parseListing(listed.stdout) : undefined;
    if (found !== undefined) {
      try {
        return await this.#nft(renderTakeover(table, this.#ledger.content(), found));
      } catch (error) {
        this.#deps.log.info("cannot take over the table that is there, replacing it", { error });
      }
    }
    await this.#nft(renderFull(table, this.#ledger.content()));
  }

  /** Plans the owners that changed, those that are marked while it does included. */
  #plan(): void {
    for (const owner of this.#dirty) {
      const before = this.#ledger.get(owner);
      const after = this.#options.plan(owner, before);
      this.#ledger.put(owner, after);
      this.#options.planned?.(owner, after, before);
    }
    this.#dirty.clear();
  }

  /** The kernel's state is in doubt after a failure: the next attempt loads everything. */
  #failed(error: unknown): void {
    this.#needsFull = true;
    this.#isAbsent = false;
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
    if (this.#stopped || this.#needsFull || this.#isAbsent || this.#running !== undefined) return;
    try {
      await this.#nft(renderProbe(this.#options.table));
    } catch (error) {
      if (this.#stopped || this.#needsFull || this.#isAbsent) return;
      this.#deps.log.warn("table is gone, loading it again", { error });
      this.#needsFull = true;
      this.#schedule();
    }
  }

  async #nft(script: string): Promise<void> {
    const result = await this.#run("nft", ["-f", "-"], { input: script });
    if (result.code !== 0) throw new Error(`nft: ${firstLines(result.stderr)}`);
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
