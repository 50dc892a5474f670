// Publishes the certificate authority of the API server to every namespace, where pods mount it with their token.
import { configMaps as configMapType, isAlreadyExists, isNotFound, namespaces as namespaceType } from "#api";
import { type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating } from "../shared/own-writes.ts";

const name = "kube-root-ca.crt";
const description =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. " +
  "No other usage is guaranteed across distributions of Kubernetes clusters.";

export function rootCaController({ client, informers }: ControllerContext, rootCertificate: string): Controller {
  const namespaces = informers.informer(namespaceType);
  const configMaps = informers.informer(configMapType);
  const wanted = { "ca.crt": rootCertificate };
  const annotations = { "kubernetes.io/description": description };
  return {
    name: "root-ca-certificate-publisher-controller",
    workers: 1,
    sources: [
      watchFor(namespaces),
      watchMapped(configMaps, ({ metadata }) =>
        metadata.name === name && metadata.namespace !== undefined ? [metadata.namespace] : [],
      ),
    ],
    reconcile: async (namespace, signal) => {
      const owner = namespaces.get(namespace);
      if (owner === undefined || owner.metadata.deletionTimestamp !== undefined || owner.status?.phase === "Terminating") return;
      const current = configMaps.get(`${namespace}/${name}`);
      try {
        if (current === undefined) {
          await client.create(configMapType, { metadata: { namespace, name, annotations }, data: wanted }, { signal });
        } else if (current.data?.["ca.crt"] !== rootCertificate || Object.keys(current.data).length !== 1) {
          const metadata = { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } };
          await client.update(configMapType, { ...current, metadata, data: wanted }, { signal });
        }
      } catch (error) {
        if (!isAlreadyExists(error) && !isNotFound(error) && !isNamespaceTerminating(error)) throw error;
      }
    },
  };
}
