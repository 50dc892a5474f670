// The probes of one running container: when each runs, and what a row of results means.
import type { Probe } from "#api";
import type { Clock, Timer } from "#base";
import type { ProbeResults } from "../pod/state.ts";
import type { ProbeOutcome } from "./check.ts";

export type ProbeKind = "startup" | "liveness" | "readiness";

export interface ProberOptions {
  readonly clock: Clock;
  readonly probes: Readonly<Partial<Record<ProbeKind, Probe>>>;
  readonly startedAtMs: number;
  run(kind: ProbeKind, probe: Probe, signal: AbortSignal): Promise<ProbeOutcome>;
  /** A result has changed. */
  changed(results: ProbeResults): void;
  /** A run did not succeed: the Unhealthy event. */
  unhealthy(kind: ProbeKind, outcome: ProbeOutcome): void;
}

/** Startup first; liveness and readiness begin when it has succeeded. One timer per probe, none without probes. */
export class ContainerProber implements Disposable {
  readonly #options: ProberOptions;
  readonly #stop = new AbortController();
  readonly #timers = new Map<ProbeKind, Timer>();
  readonly #rows = new Map<ProbeKind, { result: "success" | "failure"; count: number }>();
  #results: ProbeResults = {};

  constructor(options: ProberOptions) {
    this.#options = options;
    if (options.probes.startup !== undefined)
      this.#schedule("startup", options.probes.startup, this.#firstDelayMs(options.probes.startup));
    else this.#startOthers();
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error("the container has stopped"));
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #firstDelayMs(probe: Probe): number {
    return Math.max(0, this.#options.startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000 - this.#options.clock.now());
  }

  #startOthers(): void {
    for (const kind of ["liveness", "readiness"] as const) {
      const probe = this.#options.probes[kind];
      if (probe !== undefined) this.#schedule(kind, probe, this.#firstDelayMs(probe));
    }
  }

  #schedule(kind: ProbeKind, probe: Probe, delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timers.set(
      kind,
      this.#options.clock.after(delayMs, () => void this.#tick(kind, probe)),
    );
  }

  async #tick(kind: ProbeKind, probe: Probe): Promise<void> {
    const begun = this.#options.clock.monotonic();
    const outcome = await this.#options.run(kind, probe, this.#stop.signal);
    if (this.#stop.signal.aborted) return;
    if (outcome.result !== "success") this.#options.unhealthy(kind, outcome);
    const goesOn = outcome.result === "unknown" || this.#count(kind, probe, outcome.result);
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    if (goesOn) this.#schedule(kind, probe, Math.max(0, periodMs - (this.#options.clock.monotonic() - begun)));
  }

  /** Counts a result; true while this probe goes on. */
  #count(kind: ProbeKind, probe: Probe, result: "success" | "failure"): boolean {
    const before = this.#rows.get(kind);
    const row = { result, count: before?.result === result ? before.count + 1 : 1 };
    this.#rows.set(kind, row);
    const threshold = result === "success" ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (row.count < threshold) return true;
    if (this.#results[kind] !== result) {
      this.#results = { ...this.#results, [kind]: result };
      this.#options.changed(this.#results);
    }
    if (kind === "startup" && result === "success") this.#startOthers();
    // A failed startup or liveness probe ends the container, and with it this prober.
    return kind === "readiness" || (kind === "liveness" && result === "success");
  }
}
