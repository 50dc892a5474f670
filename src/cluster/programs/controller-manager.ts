// `tiphys kube-controller-manager`: the controllers over HTTPS, one active copy at a time.
import { Registry } from "prom-client";
import { defineOptions } from "#base";
import { serveControllers } from "../component-ports.ts";
import { type ClientFor, runControllers } from "../control-plane.ts";
import { controllerManager } from "../identities.ts";
import { assemble } from "../parts.ts";
import { leading } from "./leading.ts";
import { clientsFromKubeconfig, defineProgram, type ProgramDeps } from "./program.ts";
import { securePort, securePortOptions } from "./secure-port.ts";
import { serviceAccountClients } from "./service-accounts.ts";
import { workOf } from "./work.ts";

export const controllerManagerProgram = defineProgram({
  name: "kube-controller-manager",
  summary: "Run the controllers in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server", placeholder: "FILE" },
    controllers: {
      kind: "list",
      default: ["*"],
      help: "Controllers to run: '*' all that are on by default, 'name' on, '-name' off",
    },
    clusterCidr: { kind: "string", help: "Range from which nodes get their pod ranges", placeholder: "CIDR" },
    allocateNodeCidrs: { kind: "boolean", default: false, help: "Give each node a range of --cluster-cidr" },
    rootCaFile: { kind: "string", help: "Certificate that pods get to trust the API server", placeholder: "FILE" },
    clusterSigningCertFile: { kind: "string", help: "Authority that signs certificate requests", placeholder: "FILE" },
    clusterSigningKeyFile: { kind: "string", help: "Key of that authority", placeholder: "FILE" },
    clusterSigningDuration: {
      kind: "duration",
      default: 365 * 24 * 3_600_000,
      help: "How long certificates that are signed on request last at most",
    },
    nodeMonitorGracePeriod: {
      kind: "duration",
      default: 50_000,
      help: "How long a node may be silent before it counts as Unknown",
    },
    useServiceAccountCredentials: { kind: "boolean", default: true, help: "Let each controller act as its own service account" },
    leaderElect: { kind: "boolean", default: true, help: "Work only while holding the lease kube-controller-manager" },
    ...securePortOptions(10257),
  }),
  start: async (options, deps) => {
    return assemble(deps, async (started) => {
      const own = started.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
      const manager = own.clientFor(controllerManager, "kube-controller-manager");
      const accounts =
        options.useServiceAccountCredentials && options.kubeconfig !== undefined
          ? started.add("accounts", await serviceAccountClients(options.kubeconfig, manager, deps))
          : undefined;
      const clientFor: ClientFor = (user, userAgent) =>
        user === controllerManager || accounts === undefined ? own.clientFor(user, userAgent) : accounts.clientFor(userAgent);
      const rootCertificate =
        options.rootCaFile === undefined ? undefined : (await deps.files.read(options.rootCaFile)).toString();
      const clusterSigning = await signingAuthority(options, deps);
      const work = workOf(async () => {
        // one per term of leadership: names can be registered once
        const registry = new Registry();
        const controllers = await runControllers(
          {
            controllers: options.controllers,
            clusterCidrs: options.allocateNodeCidrs && options.clusterCidr !== undefined ? [options.clusterCidr] : [],
            nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriod,
            ...(rootCertificate === undefined ? {} : { rootCertificate }),
            ...(clusterSigning === undefined ? {} : { clusterSigning }),
            clusterSigningDurationMs: options.clusterSigningDuration,
          },
          { ...deps, clientFor, registry },
        );
        return {
          registry,
          ready: () => controllers.ready(),
          [Symbol.asyncDispose]: () => controllers[Symbol.asyncDispose](),
        };
      });
      const noMetrics = new Registry();
      const port = await securePort(options, deps);
      if (port !== undefined)
        started.add(
          "secure port",
          await serveControllers(
            port,
            { running: work.running, registry: () => work.running()?.registry ?? noMetrics },
            { client: manager, log: deps.log },
          ),
        );
      started.add(
        "work",
        options.leaderElect
          ? leading("kube-controller-manager", own.clientFor(controllerManager, "leader-election"), deps, work.start)
          : await work.start(),
      );
    });
  },
});

async function signingAuthority(
  options: { readonly clusterSigningCertFile: string | undefined; readonly clusterSigningKeyFile: string | undefined },
  { files }: ProgramDeps,
): Promise<{ certificate: string; key: string } | undefined> {
  const { clusterSigningCertFile, clusterSigningKeyFile } = options;
  if (clusterSigningCertFile === undefined && clusterSigningKeyFile === undefined) return undefined;
  if (clusterSigningCertFile === undefined || clusterSigningKeyFile === undefined)
    throw new Error(
      "Cannot sign certificate requests: --cluster-signing-cert-file and --cluster-signing-key-file belong together",
    );
  const read = async (path: string): Promise<string> => (await files.read(path)).toString();
  return { certificate: await read(clusterSigningCertFile), key: await read(clusterSigningKeyFile) };
}
