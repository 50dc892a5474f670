// An authority and certificates for 127.0.0.1, made with openssl for one test.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const opensslMissing = spawnSync("openssl", ["version"]).status === 0 ? undefined : "openssl is not installed";

export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** The same as files. */
  readonly files: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** A certificate that serves for servers and clients. */
export function makeCertificates(directory: string): Certificates {
  const at = (name: string): string => join(directory, name);
  const openssl = (line: string): unknown => execFileSync("openssl", line.split(" "), { stdio: "pipe", cwd: directory });
  openssl("ecparam -name prime256v1 -genkey -noout -out ca.key");
  openssl("req -x509 -new -key ca.key -subj /CN=etcd-ca -days 1 -out ca.crt");
  openssl("ecparam -name prime256v1 -genkey -noout -out one.key");
  openssl("req -new -key one.key -subj /CN=one -out one.csr");
  writeFileSync(at("san"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  openssl("x509 -req -in one.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -extfile san -out one.crt");
  const files = { ca: at("ca.crt"), certificate: at("one.crt"), key: at("one.key") };
  const pem = (path: string): string => readFileSync(path, "utf8");
  return { ca: pem(files.ca), certificate: pem(files.certificate), key: pem(files.key), files };
}
