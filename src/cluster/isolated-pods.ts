// Kubernetes promises that a pod that comes after its policies is isolated before its containers start: between sandbox and containers is the moment.
import type { Runtime } from "#kubelet";
import type { RunningNetworkPolicy } from "#network";

/** Without a policy that selects the pod this costs nothing. One that cannot be isolated loses its sandbox, and is tried again later. */
export function isolatedFirst(runtime: Runtime, policies: Pick<RunningNetworkPolicy, "isolates" | "podStarts">): Runtime {
  const runSandbox: Runtime["runSandbox"] = async (config, call) => {
    const id = await runtime.runSandbox(config, call);
    if (config.hostNetwork || !policies.isolates(config.pod)) return id;
    try {
      const address = (await runtime.sandboxStatus(id, call))?.ips[0];
      if (address !== undefined) await policies.podStarts(config.pod, address);
      return id;
    } catch (error) {
      await runtime.stopSandbox(id, call);
      throw error;
    }
  };
  return new Proxy(runtime, {
    get: (target, property) => {
      if (property === "runSandbox") return runSandbox;
      const value = Reflect.get(target, property, target) as unknown;
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
