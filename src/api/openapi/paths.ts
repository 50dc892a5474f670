// The paths of the OpenAPI documents: what kubectl looks at (kinds, actions, parameters, body types), from the table of resources.
import { apiVersionOf, type ResourceType } from "../resource-type.ts";
import { typeNameOfKind } from "../schema/read.ts";
import { type Json, type OpenApiVersion, prefixOf } from "./schemas.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const bodyTypes = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/cbor"];
const patchTypes = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];

const parameterTypes: Readonly<Record<string, readonly [string, string]>> = {
  pretty: ["string", "If 'true', the output is printed with line breaks."],
  dryRun: ["string", "When present, the request is processed and checked, but not persisted. Valid value: All."],
  fieldManager: ["string", "The name of the actor that makes these changes; required for apply requests."],
  fieldValidation: ["string", "What happens to unknown or duplicate fields: Ignore, Warn or Strict."],
  force: ["boolean", "Take over fields that another manager owns; only for apply requests."],
  allowWatchBookmarks: ["boolean", "Ask for events of type BOOKMARK."],
  continue: ["string", "The continue token of the previous page."],
  fieldSelector: ["string", "Restrict the list by its fields. Defaults to everything."],
  labelSelector: ["string", "Restrict the list by its labels. Defaults to everything."],
  limit: ["integer", "The largest number of items in one answer."],
  resourceVersion: ["string", "How old the answer may be."],
  resourceVersionMatch: ["string", "How resourceVersion is applied to lists."],
  sendInitialEvents: ["boolean", "Begin the watch with what exists."],
  timeoutSeconds: ["integer", "How long a list or watch may take."],
  watch: ["boolean", "Watch for changes."],
  gracePeriodSeconds: ["integer", "Seconds before the object is deleted. Zero means at once."],
  propagationPolicy: ["string", "What becomes of dependents: Orphan, Background or Foreground."],
  orphanDependents: ["boolean", "Deprecated: use propagationPolicy."],
};

const listParameters = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
const writeParameters = ["dryRun", "fieldManager", "fieldValidation"];
const deleteParameters = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The paths of some resources; every type they name is added to `used`. */
export function pathsOf(resources: readonly ResourceType[], version: OpenApiVersion, used: Set<string>): Json {
  const paths: Json = {};
  for (const resource of resources) {
    const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
    const collection = resource.namespaced ? `${root}/namespaces/{namespace}/${resource.plural}` : `${root}/${resource.plural}`;
    const make = new Operations(resource, version, used);
    paths[collection] = { ...make.collection(), parameters: parameters(resource.namespaced ? ["namespace"] : [], version) };
    if (resource.namespaced && resource.verbs.includes("list"))
      paths[`${root}/${resource.plural}`] = { get: make.list(), parameters: [] };
    const item = make.item();
    const own = ["name", ...(resource.namespaced ? ["namespace"] : [])];
    if (Object.keys(item).length > 0) paths[`${collection}/{name}`] = { ...item, parameters: parameters(own, version) };
    for (const [name, sub] of Object.entries(resource.subresources)) {
      paths[`${collection}/{name}/${name}`] = { ...make.subresource(sub, sub.verbs), parameters: parameters(own, version) };
    }
  }
  return Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)));
}

class Operations {
  readonly #resource: ResourceType;
  readonly #version: OpenApiVersion;
  readonly #used: Set<string>;

  constructor(resource: ResourceType, version: OpenApiVersion, used: Set<string>) {
    this.#resource = resource;
    this.#version = version;
    this.#used = used;
  }

  collection(): Json {
    const { verbs } = this.#resource;
    const result: Json = {};
    if (verbs.includes("list")) result.get = this.list();
    if (verbs.includes("create"))
      result.post = this.#operation("post", this.#resource, writeParameters, this.#typeOf(this.#resource));
    if (verbs.includes("deletecollection"))
      result.delete = this.#operation(
        "deletecollection",
        this.#resource,
        [...listParameters, ...deleteParameters],
        `${meta}DeleteOptions`,
        `${meta}Status`,
      );
    return result;
  }

  list(): Json {
    const kind = { ...this.#kind(this.#resource), kind: `${this.#resource.kind}List` };
    return this.#operation("list", this.#resource, ["pretty", ...listParameters], undefined, typeNameOfKind(kind));
  }

  item(): Json {
    const { verbs } = this.#resource;
    const result: Json = {};
    if (verbs.includes("get")) result.get = this.#operation("get", this.#resource, ["pretty"]);
    if (verbs.includes("update"))
      result.put = this.#operation("put", this.#resource, writeParameters, this.#typeOf(this.#resource));
    if (verbs.includes("patch"))
      result.patch = this.#operation("patch", this.#resource, [...writeParameters, "force"], `${meta}Patch`);
    if (verbs.includes("delete"))
      result.delete = this.#operation("delete", this.#resource, deleteParameters, `${meta}DeleteOptions`, `${meta}Status`);
    return result;
  }

  subresource(kind: Kind, verbs: readonly string[]): Json {
    const result: Json = {};
    if (verbs.includes("get")) result.get = this.#operation("get", kind, ["pretty"]);
    if (verbs.includes("create")) result.post = this.#operation("post", kind, writeParameters, this.#typeOf(kind));
    if (verbs.includes("update")) result.put = this.#operation("put", kind, writeParameters, this.#typeOf(kind));
    if (verbs.includes("patch")) result.patch = this.#operation("patch", kind, [...writeParameters, "force"], `${meta}Patch`);
    return result;
  }

  #operation(action: string, kind: Kind, names: readonly string[], body?: string, answer = this.#typeOf(kind)): Json {
    const consumes = action === "patch" ? patchTypes : bodyTypes;
    const identity = { "x-kubernetes-action": action, "x-kubernetes-group-version-kind": this.#kind(kind) };
    const answers = { "200": this.#answer(answer), "401": { description: "Unauthorized" } };
    if (this.#version === "v2") {
      const bodyParameter =
        body === undefined
          ? []
          : [
              {
                name: "body",
                in: "body",
                required: action === "post" || action === "put" || action === "patch",
                schema: this.#schema(body),
              },
            ];
      return {
        consumes: body === undefined ? ["*/*"] : consumes,
        produces: bodyTypes,
        schemes: ["https"],
        parameters: [...bodyParameter, ...parameters(names, "v2")],
        responses: answers,
        ...identity,
      };
    }
    const requestBody =
      body === undefined
        ? {}
        : {
            requestBody: {
              content: Object.fromEntries(consumes.map((type) => [type, { schema: this.#schema(body) }])),
              ...(action.startsWith("delete") ? {} : { required: true }),
            },
          };
    return { parameters: parameters(names, "v3"), ...requestBody, responses: answers, ...identity };
  }

  #answer(type: string | undefined): Json {
    if (type === undefined) return { description: "OK" };
    const schema = this.#schema(type);
    return this.#version === "v2"
      ? { description: "OK", schema }
      : { description: "OK", content: Object.fromEntries(bodyTypes.map((media) => [media, { schema }])) };
  }

  #schema(type: string): Json {
    if (type === `${meta}Patch`) return { description: "A patch.", type: "object" };
    this.#used.add(type);
    return { $ref: prefixOf(this.#version) + type };
  }

  #typeOf(kind: Kind): string | undefined {
    return typeNameOfKind(kind);
  }

  #kind({ group, version, kind }: Kind): Kind {
    return { group, kind, version };
  }
}

function parameters(names: readonly string[], version: OpenApiVersion): Json[] {
  return names.map((name) => {
    const inPath = name === "name" || name === "namespace";
    const [type = "string", description = ""] = inPath
      ? ["string", name === "name" ? "The object's name." : "The object's namespace."]
      : (parameterTypes[name] ?? []);
    return {
      name,
      in: inPath ? "path" : "query",
      description,
      ...(inPath ? { required: true } : {}),
      ...(version === "v2" ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } }),
    };
  });
}
