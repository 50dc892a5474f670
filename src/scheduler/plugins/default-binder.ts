// DefaultBinder: tells the API server by POST pods/binding, the only way a pod gets its node.
import { pods } from "#api";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { failed, success } from "../framework/verdict.ts";

export const defaultBinder = {
  name: "DefaultBinder",
  create: (_args, { client }): Plugin => ({
    name: "DefaultBinder",
    bind: async ({ pod, namespace, uid }, nodeName) => {
      const { name } = pod.metadata;
      const binding = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, uid },
        target: { kind: "Node", name: nodeName },
      };
      try {
        await client.createSubresource(pods, { namespace, name }, "binding", binding);
        return success;
      } catch (error) {
        return failed(error instanceof Error ? error.message : String(error), error);
      }
    },
  }),
} as const satisfies PluginFactory;
