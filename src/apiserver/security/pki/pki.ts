// The files under `pki/`: creates what is missing, renews what ends soon, keeps everything else as it is.
import { createPublicKey, generateKeyPair, type KeyObject, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { type Clock, type Files, isAddress, type Log, type Random, silentLog } from "#base";
import { type CertificateRequest, issueAuthority, issueCertificate, type KeyPair, leafValidityMs } from "./issue.ts";

export interface PkiOptions {
  readonly files: Files;
  /** Wall time: peers check validity against their own real clocks, so a cluster on virtual time passes the system's clock here. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Names and addresses of the API server besides the ones it always has: bind address, host name, first service address, operator's extras. */
  readonly serverNames?: readonly string[];
  /** "cluster.local" unless told. */
  readonly clusterDomain?: string;
}

/** Everything the components need, as PEM. */
export interface Pki {
  readonly ca: KeyPair;
  readonly apiserver: KeyPair;
  readonly apiserverKubeletClient: KeyPair;
  readonly admin: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
  readonly proxy: KeyPair;
  /** RSA 2048: service account tokens are RS256, as upstream's. */
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string };
  /** Certificates of a node: `client` to reach the API server, `serving` for the kubelet's port. */
  node(name: string, addresses: readonly string[]): Promise<{ readonly client: KeyPair; readonly serving: KeyPair }>;
  /** Certificates of the etcd facade, under an authority of their own. */
  etcd(serverNames: readonly string[]): Promise<{ readonly ca: KeyPair; readonly server: KeyPair; readonly client: KeyPair }>;
}

const renewBeforeMs = 30 * 24 * 3600 * 1000;

/** Reads or makes the files in `directory`. Errors are those of `Files`, or say which file cannot be used. */
export async function ensurePki(directory: string, options: PkiOptions): Promise<Pki> {
  const { files } = options;
  await files.makeDirectory(directory, 0o755);
  const shop = new Shop(directory, options);
  const [ca, serviceAccount] = await Promise.all([shop.authority("ca", "kubernetes"), serviceAccountKey(directory, files)]);
  const [apiserver, apiserverKubeletClient, admin, controllerManager, scheduler, proxy] = await Promise.all([
    shop.leaf("apiserver", ca, { commonName: "kube-apiserver", usages: ["server"], alternativeNames: serverNames(options) }),
    shop.leaf("apiserver-kubelet-client", ca, {
      commonName: "kube-apiserver-kubelet-client",
      organizations: ["system:masters"],
      usages: ["client"],
    }),
    shop.leaf("admin", ca, { commonName: "kubernetes-admin", organizations: ["system:masters"], usages: ["client"] }),
    shop.leaf("controller-manager", ca, { commonName: "system:kube-controller-manager", usages: ["client"] }),
    shop.leaf("scheduler", ca, { commonName: "system:kube-scheduler", usages: ["client"] }),
    shop.leaf("proxy", ca, { commonName: "system:kube-proxy", usages: ["client"] }),
  ]);
  return {
    ca,
    apiserver,
    apiserverKubeletClient,
    admin,
    controllerManager,
    scheduler,
    proxy,
    serviceAccount,
    node: async (name, addresses) => {
      await files.makeDirectory(`${directory}/nodes/${name}`, 0o700);
      const identity = { commonName: `system:node:${name}`, organizations: ["system:nodes"] };
      const [client, serving] = await Promise.all([
        shop.leaf(`nodes/${name}/kubelet-client`, ca, { ...identity, usages: ["client"] }),
        shop.leaf(`nodes/${name}/kubelet`, ca, {
          ...identity,
          usages: ["server"],
          alternativeNames: unique([name, ...addresses]),
        }),
      ]);
      return { client, serving };
    },
    etcd: async (names) => {
      await files.makeDirectory(`${directory}/etcd`, 0o700);
      const etcdCa = await shop.authority("etcd/ca", "etcd-ca");
      const [server, client] = await Promise.all([
        shop.leaf("etcd/server", etcdCa, {
          commonName: "etcd",
          usages: ["server", "client"],
          alternativeNames: unique(["localhost", "127.0.0.1", "::1", ...names]),
        }),
        shop.leaf("apiserver-etcd-client", etcdCa, { commonName: "kube-apiserver-etcd-client", usages: ["client"] }),
      ]);
      return { ca: etcdCa, server, client };
    },
  };
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values.filter((value) => value !== ""))];

function serverNames(options: PkiOptions): readonly string[] {
  const domain = options.clusterDomain ?? "cluster.local";
  const fixed = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    `kubernetes.default.svc.${domain}`,
    "localhost",
    "127.0.0.1",
    "::1",
  ];
  // An address such as 0.0.0.0 names no host: nobody connects to it by that name.
  const given = (options.serverNames ?? []).filter((name) => name !== "0.0.0.0" && name !== "::");
  return unique([...fixed, ...given]);
}

/** What a file holds, and the certificate as an object. */
interface Found extends KeyPair {
  readonly parsed: X509Certificate;
}

const pairOf = ({ certificate, key }: Found): KeyPair => ({ certificate, key });

/** Makes and checks certificate files of one directory. */
class Shop {
  readonly #directory: string;
  readonly #options: PkiOptions;
  readonly #log: Log;
  readonly #issuers = new Map<string, X509Certificate>();

  constructor(directory: string, options: PkiOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  async authority(name: string, commonName: string): Promise<KeyPair> {
    const found = await this.#read(name);
    if (found !== undefined && this.#lasts(found.parsed)) return pairOf(found);
    // The same key again: certificates that it has signed stay valid.
    const made = await issueAuthority(commonName, this.#options, found?.key);
    await this.#write(name, made);
    this.#log.info(found === undefined ? "made certificate authority" : "renewed certificate authority", {
      file: `${this.#directory}/${name}.crt`,
    });
    return made;
  }

  async leaf(name: string, authority: KeyPair, request: Omit<CertificateRequest, "validityMs">): Promise<KeyPair> {
    const found = await this.#read(name);
    if (found !== undefined && this.#serves(found.parsed, authority, request)) return pairOf(found);
    const made = await issueCertificate(authority, { ...request, validityMs: leafValidityMs }, this.#options);
    await this.#write(name, made);
    this.#log.info(found === undefined ? "made certificate" : "renewed certificate", { file: `${this.#directory}/${name}.crt` });
    return made;
  }

  #lasts(certificate: X509Certificate): boolean {
    return certificate.validToDate.getTime() - this.#options.clock.now() > renewBeforeMs;
  }

  #serves(certificate: X509Certificate, authority: KeyPair, request: Omit<CertificateRequest, "validityMs">): boolean {
    const issuer = this.#issuer(authority);
    return (
      this.#lasts(certificate) &&
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey) &&
      (request.alternativeNames ?? []).every((name) => isNamed(certificate, name))
    );
  }

  #issuer({ certificate }: KeyPair): X509Certificate {
    const known = this.#issuers.get(certificate);
    if (known !== undefined) return known;
    const parsed = new X509Certificate(certificate);
    this.#issuers.set(certificate, parsed);
    return parsed;
  }

  async #read(name: string): Promise<Found | undefined> {
    const [certificate, key] = await Promise.all([
      readText(this.#options.files, `${this.#directory}/${name}.crt`),
      readText(this.#options.files, `${this.#directory}/${name}.key`),
    ]);
    if (certificate === undefined || key === undefined) return undefined;
    try {
      return { certificate, key, parsed: new X509Certificate(certificate) };
    } catch (cause) {
      throw new Error(
        `Cannot use certificate "${this.#directory}/${name}.crt": it is not a PEM certificate; remove it to have a new one made`,
        { cause },
      );
    }
  }

  async #write(name: string, pair: KeyPair): Promise<void> {
    // The key first: a certificate that is there always has its key, whatever moment the power fails.
    await this.#options.files.writeAtomic(`${this.#directory}/${name}.key`, pair.key, 0o600);
    await this.#options.files.writeAtomic(`${this.#directory}/${name}.crt`, pair.certificate, 0o644);
  }
}

const isNamed = (certificate: X509Certificate, name: string): boolean =>
  isAddress(name) ? certificate.checkIP(name) !== undefined : certificate.checkHost(name, { subject: "never" }) !== undefined;

async function readText(files: Files, path: string): Promise<string | undefined> {
  try {
    return (await files.read(path)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function serviceAccountKey(directory: string, files: Files): Promise<{ privateKey: string; publicKey: string }> {
  const path = `${directory}/sa.key`;
  const found = await readText(files, path);
  if (found !== undefined) {
    const publicKey = await readText(files, `${directory}/sa.pub`);
    return {
      privateKey: found,
      publicKey: publicKey ?? createPublicKey(found).export({ type: "spki", format: "pem" }).toString(),
    };
  }
  const made = await newServiceAccountKey();
  await files.writeAtomic(path, made.privateKey, 0o600);
  await files.writeAtomic(`${directory}/sa.pub`, made.publicKey, 0o644);
  return made;
}

/** A key pair that signs service account tokens, for servers without files (tests, clusters as a library). */
export async function newServiceAccountKey(): Promise<{ privateKey: string; publicKey: string }> {
  const pair: { privateKey: KeyObject; publicKey: KeyObject } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return {
    privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}
