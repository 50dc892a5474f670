// Runs a component only while its lease is held (upstream's --leader-elect: Lease in kube-system, 15/10/2 s).
import { uuid } from "#base";
import { type Client, electLeader } from "#client";
import type { ProgramDeps } from "./program.ts";

export const leading = (name: string, client: Client, deps: ProgramDeps, run: () => Promise<AsyncDisposable>): AsyncDisposable =>
  electLeader({
    client,
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    lease: { namespace: "kube-system", name },
    identity: `${deps.hostname}_${uuid(deps.random)}`,
    lead: run,
  });
