// NamespaceLifecycle: nothing is created in a namespace that is not there or on its way out; three namespaces cannot be deleted.
import { ApiError, type ApiObject, type Namespace, namespaces, notFound, type ObjectMeta, type Stored } from "#api";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, refuse } from "./support.ts";

const immortal = ["default", "kube-system", "kube-public"];

export function namespaceLifecycle({ reader }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "NamespaceLifecycle",
    mutate: (object, context) => {
      if (context.operation !== "DELETE") checkNamespace(object, context);
      return object;
    },
    validate: (object, context) => {
      if (context.operation === "DELETE" && isResource(context, namespaces) && immortal.includes(context.name)) {
        throw refuse(context, object, "this namespace may not be deleted");
      }
    },
  };
  function checkNamespace(object: ApiObject, context: AdmissionContext): void {
    const isNamespace = context.type.plural === namespaces.plural && context.type.group === "";
    if (context.namespace === "" || isNamespace || context.type.plural === "localsubjectaccessreviews") return;
    const namespace = reader.get<Namespace>(namespaces, { name: context.namespace });
    if (namespace === undefined) throw notFound(namespaces, context.namespace);
    if (context.operation === "CREATE" && isTerminating(namespace)) throw terminating(context, object);
  }
}

const isTerminating = (namespace: Stored<Namespace>): boolean =>
  (namespace.metadata as ObjectMeta).deletionTimestamp !== undefined || namespace.status?.phase === "Terminating";

function terminating(context: AdmissionContext, object: ApiObject | undefined): ApiError {
  const { namespace } = context;
  const refused = refuse(
    context,
    object,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: "NamespaceTerminating",
    message: `namespace ${namespace} is being terminated`,
    field: "metadata.namespace",
  };
  return new ApiError({ ...refused.status, details: { ...refused.status.details, causes: [cause] } });
}
