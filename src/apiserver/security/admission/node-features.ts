// NodeDeclaredFeatureValidator: a pod's resources are only changed where its node is known, so that it can be asked what it is able to do (KEP-5328).
import { nodes, type Pod, pods } from "#api";
import type { AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isSubresource, refuse } from "./support.ts";

export const nodeFeatures = ({ reader }: AdmissionDeps): AdmissionPlugin => ({
  name: "NodeDeclaredFeatureValidator",
  validate: (object, context) => {
    if (context.operation !== "UPDATE" || !isSubresource(context, pods, "resize")) return;
    const name = (object as Pod | undefined)?.spec?.nodeName ?? ""; // the subresource's objects
    if (name !== "" && reader.get(nodes, { name }) === undefined)
      throw refuse(context, object, `node ${JSON.stringify(name)} not found`);
  },
});
