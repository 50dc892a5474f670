// Leader election through a Lease: at most one process works at a time (client-go leaderelection semantics, 15/10/2 s).
import { isAlreadyExists, isConflict, isNotFound, type Lease, leases, type Stored } from "#api";
import { type Clock, type Log, type Random, type Running, sleep } from "#base";
import type { Client, ObjectRef } from "./client.ts";
import { rfc3339Micro } from "./time.ts";

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly lease: ObjectRef & { readonly namespace: string };
  /** Unique per process: "host_uuid". */
  readonly identity: string;
  /** How long others wait after the last renewal. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** A leader that could not renew for so long stops by itself. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Pause between two attempts. Default 2 s. */
  readonly retryPeriodMs?: number;
  /**
   * Starts the work. The signal aborts before anyone else can take over; what is returned is disposed then.
   * After that the election begins again, unless it is being stopped.
   */
  readonly lead: (signal: AbortSignal) => Promise<AsyncDisposable>;
}

interface Observed {
  readonly lease: Stored<Lease>;
  readonly atMs: number;
}

const jitter = 1.2;

/** Competes until disposed. Disposing ends the work first and then releases the lease, so that a successor need not wait. */
export function electLeader(options: LeaderElectionOptions): Running {
  const { clock, random, log } = options;
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  const stop = new AbortController();
  let observed: Observed | undefined;
  let leading = false;

  const see = (lease: Stored<Lease>): void => {
    // Only a change counts as a sign of life, and it is timed by our own clock: clocks of other machines are not trusted.
    if (observed?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion)
      observed = { lease, atMs: clock.monotonic() };
  };

  const acquireOrRenew = async (signal: AbortSignal): Promise<boolean> => {
    const now = rfc3339Micro(clock.now());
    const spec = { holderIdentity: options.identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000), renewTime: now };
    try {
      // A leader that saw its own last write renews without reading first.
      let lease = leading ? observed?.lease : undefined;
      lease ??= await options.client.get(leases, options.lease, { signal });
      see(lease);
      const holder = lease.spec?.holderIdentity ?? "";
      const mine = holder === options.identity;
      if (
        !mine &&
        holder !== "" &&
        observed !== undefined &&
        clock.monotonic() - observed.atMs < (lease.spec?.leaseDurationSeconds ?? 0) * 1000
      )
        return false;
      const takeover = mine ? {} : { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 };
      see(await options.client.update(leases, { ...lease, spec: { ...lease.spec, ...takeover, ...spec } }, { signal }));
      return true;
    } catch (error) {
      if (isConflict(error)) {
        observed = leading ? undefined : observed;
        return leading ? await stillMine(signal) : false;
      }
      if (!isNotFound(error)) throw error;
    }
    try {
      const { namespace, name } = options.lease;
      see(
        await options.client.create(
          leases,
          { metadata: { namespace, name }, spec: { ...spec, acquireTime: now, leaseTransitions: 0 } },
          { signal },
        ),
      );
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  };

  /** Somebody wrote our lease. If it still names us (a label was added), the next attempt renews; otherwise it is lost. */
  const stillMine = async (signal: AbortSignal): Promise<boolean> => {
    const lease = await options.client.get(leases, options.lease, { signal });
    if (lease.spec?.holderIdentity !== options.identity)
      throw new LeaseLost(`the lease is now held by "${lease.spec?.holderIdentity ?? ""}"`);
    see(lease);
    return false;
  };

  const attempt = async (): Promise<boolean> => {
    try {
      return await withTimeout(clock, renewDeadlineMs, stop.signal, acquireOrRenew);
    } catch (error) {
      if (error instanceof LeaseLost) throw error;
      if (!stop.signal.aborted) log.warn("cannot reach the lease", { lease: options.lease.name, error: String(error) });
      return false;
    }
  };

  const pause = (milliseconds: number): Promise<void> => sleep(clock, milliseconds, stop.signal).catch(() => {});

  const term = async (): Promise<void> => {
    leading = true;
    log.info("became leader", { lease: options.lease.name, identity: options.identity });
    const end = new AbortController();
    let renewedMs = clock.monotonic();
    let fence = clock.after(renewDeadlineMs, () => end.abort(new Error("the lease could not be renewed in time")));
    const stopped = (): void => end.abort(stop.signal.reason);
    stop.signal.addEventListener("abort", stopped, { once: true });
    const work = options.lead(end.signal);
    const settled = work.then(
      () => undefined,
      (error: unknown) => {
        log.error("leading failed to start", { lease: options.lease.name, error: String(error) });
        end.abort(error);
      },
    );
    while (!end.signal.aborted) {
      await sleep(clock, retryPeriodMs, end.signal).catch(() => {});
      if (end.signal.aborted) break;
      const startedMs = clock.monotonic();
      try {
        if (await attempt()) {
          renewedMs = startedMs;
          fence.cancel();
          fence = clock.after(renewDeadlineMs - (clock.monotonic() - renewedMs), () =>
            end.abort(new Error("the lease could not be renewed in time")),
          );
        }
      } catch (error) {
        end.abort(error);
      }
    }
    fence.cancel();
    stop.signal.removeEventListener("abort", stopped);
    log.info("stopped leading", { lease: options.lease.name, reason: String(end.signal.reason) });
    await settled;
    await (await work.catch(() => undefined))?.[Symbol.asyncDispose]();
    leading = false;
  };

  const release = async (): Promise<void> => {
    try {
      const lease = await options.client.get(leases, options.lease);
      if (lease.spec?.holderIdentity !== options.identity) return;
      const now = rfc3339Micro(clock.now());
      const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
      await options.client.update(leases, { ...lease, spec });
    } catch (error) {
      log.warn("cannot release the lease", { lease: options.lease.name, error: String(error) });
    }
  };

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const won = await attempt().catch(() => false);
      if (won && !stop.signal.aborted) await term();
      else await pause(retryPeriodMs * (1 + random.float() * jitter));
    }
    if (observed?.lease.spec?.holderIdentity === options.identity) await release();
  };
  const ended = run();

  return {
    ready: () => undefined,
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the leader election is being stopped"));
      await ended;
    },
  };
}

class LeaseLost extends Error {}

async function withTimeout<R>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const timeout = new AbortController();
  const timer = clock.after(timeoutMs, () => timeout.abort(new Error(`no answer within ${timeoutMs} ms`)));
  const either = AbortSignal.any([signal, timeout.signal]);
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(either.reason as Error);
  either.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([run(either), aborted.promise]);
  } finally {
    timer.cancel();
    either.removeEventListener("abort", onAbort);
  }
}
