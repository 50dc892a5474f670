// `tiphys etcd`: the store alone, served through etcd's API to API servers of other processes.
import { ensurePki } from "#apiserver";
import { defineOptions } from "#base";
import { openDiskStore } from "#store";
import { pkiAccess, serveEtcd } from "../etcd-server.ts";
import { assemble } from "../parts.ts";
import { defineProgram, type ProgramDeps } from "./program.ts";

const options = defineOptions({
  dataDir: {
    kind: "string",
    default: "/var/lib/tiphys",
    help: "Data directory; the store is in `store` below it",
    placeholder: "DIR",
  },
  listenClientUrls: {
    kind: "string",
    default: "https://127.0.0.1:2379",
    help: "URL to serve clients on; they must show a certificate",
    placeholder: "URL",
  },
  certFile: { kind: "string", help: "Serving certificate (default: one of an own authority, in `pki`)", placeholder: "FILE" },
  keyFile: { kind: "string", help: "Key of the serving certificate", placeholder: "FILE" },
  trustedCaFile: { kind: "string", help: "Authority of the clients' certificates", placeholder: "FILE" },
  quotaBackendBytes: { kind: "integer", default: 0, help: "Above this size puts are refused; 0: the default of 8 GiB" },
});

export const etcdProgram = defineProgram({
  name: "etcd",
  summary: "Serve the store through etcd's API in this process, or work on it with a subcommand",
  options,
  start: async (values, deps) => {
    const { clock, random, files, log } = deps;
    const { dataDir, quotaBackendBytes } = values;
    const url = /^https:\/\/(.+:\d+)\/?$/.exec(values.listenClientUrls);
    if (url?.[1] === undefined) {
      throw new Error(`Cannot serve etcd's API on "${values.listenClientUrls}": write https://ADDRESS:PORT`);
    }
    const listen = url[1];
    return assemble(deps, async (parts) => {
      const directory = `${dataDir}/store`;
      const quota = quotaBackendBytes === 0 ? {} : { quotaBytes: quotaBackendBytes };
      const store = parts.add("store", await openDiskStore({ directory, clock, random, log, ...quota }));
      const tls = await certificates(values, listen, deps);
      parts.add("server", await serveEtcd({ listen, dataDir, ...tls }, { store, files, clock, log }));
    });
  },
});

interface CertificateFlags {
  readonly dataDir: string;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly trustedCaFile: string | undefined;
}

async function certificates(flags: CertificateFlags, listen: string, deps: ProgramDeps) {
  const { clock, random, files, log } = deps;
  const { dataDir, certFile, keyFile, trustedCaFile } = flags;
  if (certFile === undefined && keyFile === undefined && trustedCaFile === undefined) {
    const pki = await ensurePki(`${dataDir}/pki`, { files, clock, random, log });
    const { ca, server } = await pki.etcd(["localhost", listen.slice(0, listen.lastIndexOf(":"))]);
    const tls = { ca: ca.certificate, certificate: server.certificate, key: server.key };
    return { tls, access: pkiAccess(dataDir) };
  }
  if (certFile === undefined || keyFile === undefined || trustedCaFile === undefined) {
    throw new Error("Cannot serve etcd's API: --cert-file, --key-file and --trusted-ca-file go together");
  }
  const read = async (path: string): Promise<string> => (await files.read(path)).toString();
  const tls = { ca: await read(trustedCaFile), certificate: await read(certFile), key: await read(keyFile) };
  return { tls, access: { cacert: trustedCaFile, cert: certFile, key: keyFile } };
}
