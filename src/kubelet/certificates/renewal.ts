// Keeps a certificate of a node good: asks for the next one in time, writes it to its file, and tells who uses it.
import type { Files, Timer } from "#base";
import { renewalAtMs } from "./plan.ts";
import { type AskDeps, askForCertificate, type CertificateAsk } from "./request.ts";
import { type Kept, keptOf, keyText, newKey, readCertificate } from "./store.ts";

export interface RenewalOptions {
  /** Where the certificate and its key are, or will be. */
  readonly file: string;
  readonly ask: Omit<CertificateAsk, "key" | "name">;
  /** Called once a new one is on disk. */
  readonly onRenewed: (kept: Kept) => void;
}

export interface RenewalDeps extends Omit<AskDeps, "signal"> {
  readonly files: Files;
}

/** How long a request may be undecided, and how long a failure is waited out, as upstream's. */
const patienceMs = 15 * 60_000;
const firstPauseMs = 2000;
const longestPauseMs = 128_000;

/** With no certificate in the file the first is asked for at once. */
export async function renewCertificate(options: RenewalOptions, deps: RenewalDeps): Promise<AsyncDisposable> {
  const { clock, random, log, files } = deps;
  const stop = new AbortController();
  let timer: Timer | undefined;
  let work: Promise<void> = Promise.resolve();

  const schedule = (delayMs: number, pauseMs: number): void => {
    if (stop.signal.aborted) return;
    timer = clock.after(Math.max(0, delayMs), () => {
      work = renew(pauseMs);
    });
  };
  const renew = async (pauseMs: number): Promise<void> => {
    const waiting = new AbortController();
    const patience = clock.after(patienceMs, () => waiting.abort(new Error("nobody decided within 15 minutes")));
    try {
      const key = await newKey();
      const signal = AbortSignal.any([stop.signal, waiting.signal]);
      const certificate = await askForCertificate({ ...options.ask, key }, { ...deps, signal });
      const text = `${certificate}${keyText(key)}`;
      const kept = keptOf(text);
      if (kept === undefined) throw new Error("the certificate that was issued is for another key");
      await files.writeAtomic(options.file, text, 0o600);
      log.info("renewed certificate", { file: options.file, until: new Date(kept.toMs).toISOString() });
      options.onRenewed(kept);
      const leftMs = kept.toMs - clock.now();
      // halfway at the earliest: most of a very short life may lie before its beginning, as certificates are backdated
      schedule(Math.max(renewalAtMs(kept, random) - clock.now(), leftMs / 2), firstPauseMs);
    } catch (error) {
      if (stop.signal.aborted) return;
      log.warn("cannot renew certificate, trying again", { file: options.file, error: (error as Error).message });
      schedule(pauseMs, Math.min(2 * pauseMs, longestPauseMs));
    } finally {
      patience.cancel();
    }
  };

  const current = await readCertificate(options.file, files);
  schedule(current === undefined ? 0 : renewalAtMs(current, random) - clock.now(), firstPauseMs);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the kubelet is being stopped"));
      timer?.cancel();
      await work;
    },
  };
}
