// The scheduler in numbers, under upstream's names.
import { Counter, Gauge, type Registry } from "prom-client";
import type { RunningScheduler } from "./scheduler.ts";

const results = ["scheduled", "unschedulable", "error"] as const;
const queues = ["active", "backoff", "unschedulable", "gated"] as const;

/** Once per registry. The numbers are read when somebody asks; `running` is undefined while another copy leads. */
export function schedulerMetrics(
  registry: Registry,
  running: () => Pick<RunningScheduler, "attempts" | "pending"> | undefined,
): void {
  const registers = [registry];
  new Counter({
    name: "scheduler_schedule_attempts_total",
    help: "Number of attempts to schedule pods, by the result.",
    labelNames: ["result"],
    registers,
    collect() {
      this.reset();
      const attempts = running()?.attempts;
      for (const result of results) this.inc({ result }, attempts?.[result] ?? 0);
    },
  });
  new Gauge({
    name: "scheduler_pending_pods",
    help: "Number of pending pods, by the queue type.",
    labelNames: ["queue"],
    registers,
    collect() {
      const pending = running()?.pending();
      for (const queue of queues) this.set({ queue }, pending?.[queue] ?? 0);
    },
  });
}
