// `tiphys kube-apiserver`: the API server alone, over its own store.
import { startApiServer } from "#apiserver";
import { defineOptions } from "#base";
import { openDiskStore, openMemoryStore } from "#store";
import { etcdOptions, openEtcd } from "../etcd.ts";
import { Parts } from "../parts.ts";
import { defineProgram } from "./program.ts";

export const apiServerProgram = defineProgram({
  name: "kube-apiserver",
  summary: "Run the API server in this process",
  options: defineOptions({
    bindAddress: { kind: "string", default: "0.0.0.0", help: "Address to listen on", placeholder: "ADDRESS" },
    securePort: { kind: "integer", default: 6443, help: "Port to listen on; 0 takes any free one" },
    portFile: { kind: "string", help: "Write the port to this file once it is listened on", placeholder: "FILE" },
    store: {
      kind: "string",
      default: "disk",
      choices: ["disk", "memory", "etcd"],
      help: "Where the state lives (upstream has only etcd)",
    },
    storeDirectory: { kind: "string", default: "/var/lib/tiphys/store", help: "Directory of the disk store", placeholder: "DIR" },
    ...etcdOptions,
    tlsCertFile: { kind: "string", help: "Serving certificate", placeholder: "FILE" },
    tlsPrivateKeyFile: { kind: "string", help: "Key of the serving certificate", placeholder: "FILE" },
    clientCaFile: { kind: "string", help: "Authorities whose client certificates are users", placeholder: "FILE" },
    serviceAccountKeyFile: { kind: "string", help: "Public key that verifies service account tokens", placeholder: "FILE" },
    serviceAccountSigningKeyFile: { kind: "string", help: "Private key that signs service account tokens", placeholder: "FILE" },
    serviceAccountIssuer: {
      kind: "string",
      default: "https://kubernetes.default.svc",
      help: "Issuer of service account tokens",
      placeholder: "URL",
    },
    serviceClusterIpRange: { kind: "list", default: ["10.96.0.0/12"], help: "Addresses of Services", placeholder: "CIDR" },
    serviceNodePortRange: {
      kind: "string",
      default: "30000-32767",
      help: "Ports of NodePort Services",
      placeholder: "FIRST-LAST",
    },
    tokenAuthFile: { kind: "string", help: 'File of static tokens (token,user,uid,"group,group")', placeholder: "FILE" },
    anonymousAuth: { kind: "boolean", default: true, help: "Let requests without credentials in as system:anonymous" },
    authorizationMode: { kind: "list", default: ["Node", "RBAC"], help: "Authorizers, in order" },
    enableAdmissionPlugins: { kind: "list", default: [], help: "Admission plugins to add to the default ones" },
    disableAdmissionPlugins: { kind: "list", default: [], help: "Admission plugins to leave out" },
    advertiseAddress: {
      kind: "string",
      help: "Address that the endpoints of the Service kubernetes show",
      placeholder: "ADDRESS",
    },
    kubeletClientCertificate: { kind: "string", help: "Client certificate towards kubelets", placeholder: "FILE" },
    kubeletClientKey: { kind: "string", help: "Key of the client certificate towards kubelets", placeholder: "FILE" },
    kubeletCertificateAuthority: { kind: "string", help: "Authority of the kubelets' certificates", placeholder: "FILE" },
  }),
  start: async (options, deps) => {
    const { clock, random, files, log } = deps;
    const read = async (path: string | undefined): Promise<string | undefined> =>
      path === undefined ? undefined : (await files.read(path)).toString();
    const [cert, key, clientCa, publicKey, privateKey, staticTokens] = await Promise.all(
      [
        options.tlsCertFile,
        options.tlsPrivateKeyFile,
        options.clientCaFile,
        options.serviceAccountKeyFile,
        options.serviceAccountSigningKeyFile,
        options.tokenAuthFile,
      ].map(read),
    );
    if (cert === undefined || key === undefined)
      throw new Error("Cannot start the API server: --tls-cert-file and --tls-private-key-file are needed");
    const [kubeletCert, kubeletKey, kubeletCa] = await Promise.all(
      [options.kubeletClientCertificate, options.kubeletClientKey, options.kubeletCertificateAuthority].map(read),
    );
    const kubeletClient =
      kubeletCert === undefined || kubeletKey === undefined ? undefined : { cert: kubeletCert, key: kubeletKey, ca: kubeletCa };
    const [firstPort = 0, lastPort = 0] = options.serviceNodePortRange.split("-").map(Number);
    const started = new Parts(deps);
    try {
      const store = started.add(
        "store",
        options.store === "memory"
          ? openMemoryStore({ clock, random })
          : options.store === "etcd"
            ? await openEtcd(options, deps)
            : await openDiskStore({ directory: options.storeDirectory, clock, random, log }),
      );
      const server = started.add(
        "server",
        await startApiServer(
          {
            listen: { address: options.bindAddress, port: options.securePort, cert, key },
            clientCa,
            staticTokens,
            serviceAccountIssuer: options.serviceAccountIssuer,
            serviceAccountKey: publicKey === undefined || privateKey === undefined ? undefined : { publicKey, privateKey },
            serviceClusterIpRanges: options.serviceClusterIpRange,
            nodePortRange: [firstPort, lastPort],
            anonymousAuth: options.anonymousAuth,
            authorizationModes: options.authorizationMode as readonly ("Node" | "RBAC")[],
            enableAdmission: options.enableAdmissionPlugins,
            disableAdmission: options.disableAdmissionPlugins,
            advertiseAddress: options.advertiseAddress,
            kubeletClient,
            packageVersion: deps.packageVersion,
          },
          { store, clock, random, files, log },
        ),
      );
      if (options.portFile !== undefined) await files.writeAtomic(options.portFile, `${server.port}\n`);
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  },
});
