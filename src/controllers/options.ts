// Upstream's defaults of the controller manager.
import type { ControllerOptions } from "./context.ts";

export const defaultOptions: ControllerOptions = {
  controllers: ["*"],
  nodeMonitorGracePeriodMs: 50_000,
  nodeStartupGracePeriodMs: 60_000,
  nodeMonitorPeriodMs: 5_000,
  clusterCidrs: [],
  nodeCidrMaskSizeIPv4: 24,
  nodeCidrMaskSizeIPv6: 64,
  terminatedPodThreshold: 12_500,
  clusterSigningDurationMs: 365 * 24 * 3_600_000,
};
