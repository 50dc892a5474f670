// DefaultIngressClass: an Ingress that names no class gets the cluster's default.
import { type Ingress, type IngressClass, ingressClasses, ingresses } from "#api";
import type { AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { newest } from "./storage.ts";
import { isResource } from "./support.ts";

export function defaultIngressClass({ reader }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "DefaultIngressClass",
    mutate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, ingresses)) return object;
      const ingress = object as Ingress; // the resource's objects
      const isGiven =
        typeof ingress.spec?.ingressClassName === "string" ||
        ingress.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined;
      if (isGiven) return object;
      const defaults = reader
        .list<IngressClass>(ingressClasses)
        .filter((each) => each.metadata.annotations?.["ingressclass.kubernetes.io/is-default-class"] === "true");
      const chosen = newest(defaults);
      return chosen === undefined ? object : { ...ingress, spec: { ...ingress.spec, ingressClassName: chosen.metadata.name } };
    },
  };
}
