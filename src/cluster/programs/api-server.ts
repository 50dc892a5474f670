// `tiphys kube-apiserver`: the API server alone, over its own store.
import { startApiServer } from "#apiserver";
import { defineOptions, type OptionValues } from "#base";
import { openDiskStore, openMemoryStore, type Store } from "#store";
import { etcdOptions, openEtcd } from "../etcd.ts";
import { assemble } from "../parts.ts";
import { defineProgram, type ProgramDeps } from "./program.ts";

const options = defineOptions({
  bindAddress: { kind: "string", default: "0.0.0.0", help: "Address to listen on", placeholder: "ADDRESS" },
  securePort: { kind: "integer", default: 6443, help: "Port to listen on; 0 takes any free one" },
  portFile: { kind: "string", help: "Write the port to this file once it is listened on", placeholder: "FILE" },
  store: {
    kind: "string",
    default: "disk",
    choices: ["disk", "memory", "etcd"],
    help: "Where the state lives; naming etcd servers means etcd",
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
  enableBootstrapTokenAuth: {
    kind: "boolean",
    default: false,
    help: "Let nodes in by the bootstrap tokens that are secrets of kube-system",
  },
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
});

export const apiServerProgram = defineProgram({
  name: "kube-apiserver",
  summary: "Run the API server in this process",
  options,
  start: async (values, deps) => {
    const { clock, random, files, log } = deps;
    const read = async (path: string | undefined): Promise<string | undefined> =>
      path === undefined ? undefined : (await files.read(path)).toString();
    const [cert, key, clientCa, publicKey, privateKey, staticTokens] = await Promise.all(
      [
        values.tlsCertFile,
        values.tlsPrivateKeyFile,
        values.clientCaFile,
        values.serviceAccountKeyFile,
        values.serviceAccountSigningKeyFile,
        values.tokenAuthFile,
      ].map(read),
    );
    if (cert === undefined || key === undefined)
      throw new Error("Cannot start the API server: --tls-cert-file and --tls-private-key-file are needed");
    const [kubeletCert, kubeletKey, kubeletCa] = await Promise.all(
      [values.kubeletClientCertificate, values.kubeletClientKey, values.kubeletCertificateAuthority].map(read),
    );
    const kubeletClient =
      kubeletCert === undefined || kubeletKey === undefined ? undefined : { cert: kubeletCert, key: kubeletKey, ca: kubeletCa };
    const [firstPort = 0, lastPort = 0] = values.serviceNodePortRange.split("-").map(Number);
    return assemble(deps, async (started) => {
      const store = started.add("store", await openStore(values, deps));
      const server = started.add(
        "server",
        await startApiServer(
          {
            listen: { address: values.bindAddress, port: values.securePort, cert, key },
            clientCa,
            staticTokens,
            bootstrapTokens: values.enableBootstrapTokenAuth,
            serviceAccountIssuer: values.serviceAccountIssuer,
            serviceAccountKey: publicKey === undefined || privateKey === undefined ? undefined : { publicKey, privateKey },
            serviceClusterIpRanges: values.serviceClusterIpRange,
            nodePortRange: [firstPort, lastPort],
            anonymousAuth: values.anonymousAuth,
            authorizationModes: values.authorizationMode as readonly ("Node" | "RBAC")[],
            enableAdmission: values.enableAdmissionPlugins,
            disableAdmission: values.disableAdmissionPlugins,
            advertiseAddress: values.advertiseAddress,
            kubeletClient,
            packageVersion: deps.packageVersion,
          },
          { store, clock, random, files, log },
        ),
      );
      if (values.portFile !== undefined) await files.writeAtomic(values.portFile, `${server.port}\n`);
    });
  },
});

async function openStore(values: OptionValues<typeof options>, deps: ProgramDeps): Promise<Store> {
  const { clock, random, log } = deps;
  if (values.store === "etcd" || values.etcdServers.length > 0) return openEtcd(values, deps);
  if (values.store === "memory") return openMemoryStore({ clock, random });
  return openDiskStore({ directory: values.storeDirectory, clock, random, log });
}
