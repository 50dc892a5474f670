// Keeps kube-public/cluster-info signed with every bootstrap token that is meant for it.
import { bootstrapToken, configMaps as configMapType, secrets as secretType } from "#api";
import { type Controller, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { planSignatures } from "./plan.ts";

const [namespace, name] = ["kube-public", "cluster-info"];
const key = `${namespace}/${name}`;

export function bootstrapSignerController({ client, clock, informers }: ControllerContext): Controller {
  const configMaps = informers.informer(configMapType, { namespace, fieldSelector: `metadata.name=${name}` });
  const tokens = informers.informer(secretType, {
    namespace: bootstrapToken.namespace,
    fieldSelector: `type=${bootstrapToken.type}`,
  });
  return {
    name: "bootstrap-signer-controller",
    workers: 1,
    sources: [watchMapped(configMaps, () => [key]), watchMapped(tokens, () => [key])],
    reconcile: async (_key, signal) => {
      const info = configMaps.get(key);
      if (info === undefined) return;
      const { data, againAtMs } = planSignatures(info, tokens.list(), clock.now());
      if (data !== undefined) await client.update(configMapType, { ...info, data }, { signal });
      if (againAtMs !== undefined) return { requeueAfterMs: Math.max(0, againAtMs - clock.now()) };
    },
  };
}
