// Role-based access control: bindings by subject, compiled per user, thrown away when any role or binding changes.
import {
  type ApiObject,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type PolicyRule,
  type ResourceType,
  type RoleBinding,
  type RoleRef,
  roleBindings,
  roles,
  type Subject,
} from "#api";
import type { UserInfo } from "#client";
import type { Authorizer, Decision, ObjectReader, RequestInfo } from "../../contract.ts";
import { allowsKind, allowsPath } from "./rules.ts";

type Binding = ClusterRoleBinding | RoleBinding;

/** A rule that a user holds, and why. */
export interface HeldRule {
  readonly rule: PolicyRule;
  /** `RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to Group "z"` */
  readonly reason: string;
}

/** What was found for one verb and resource: the decisions by name, ending at the first that holds for every name. */
interface Verdicts {
  readonly named: readonly { readonly names: readonly string[]; readonly decision: Decision }[];
  readonly always: Decision | undefined;
}

interface UserRules {
  readonly cluster: readonly HeldRule[];
  readonly byNamespace: Map<string, readonly HeldRule[]>;
  /** Keyed by namespace, verb, group, resource and subresource. */
  readonly verdicts: Map<string, Verdicts>;
}

const denied: Decision = { allowed: false, reason: "" };
// Bounds what a client can make us remember by asking for ever new verbs and namespaces.
const maxVerdicts = 4096;
const maxUsers = 2048;

export class RbacAuthorizer implements Authorizer, Disposable {
  readonly #reader: ObjectReader;
  readonly #subscriptions: Disposable[] = [];
  readonly #bySubject = new Map<string, Map<string, Binding>>();
  /** The keys of #bySubject under which a binding is filed. */
  readonly #filed = new Map<string, readonly string[]>();
  readonly #users = new Map<string, UserRules>();
  /** The same by identity: callers in process and connections ask with the same object again and again. */
  #known = new WeakMap<UserInfo, UserRules>();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
    for (const type of [clusterRoleBindings, roleBindings] as readonly ResourceType<Binding>[]) {
      for (const binding of reader.list(type)) this.#index(binding);
      this.#watch(type, (object, event) => {
        this.#unindex(object);
        if (event !== "DELETED") this.#index(object as Binding); // the type asked for
      });
    }
    for (const type of [clusterRoles, roles] as readonly ResourceType[]) this.#watch(type, () => {});
  }

  authorize(user: UserInfo, request: RequestInfo): Decision {
    const rules = this.#rulesOf(user);
    if (!request.isResource) return this.#authorizePath(rules, request);
    const key = `${request.namespace}\0${request.verb}\0${request.group}\0${request.resource}\0${request.subresource}`;
    let verdicts = rules.verdicts.get(key);
    if (verdicts === undefined) {
      verdicts = verdictsFor(this.#heldIn(user, rules, request.namespace), request);
      if (rules.verdicts.size >= maxVerdicts) rules.verdicts.clear();
      rules.verdicts.set(key, verdicts);
    }
    for (const { names, decision } of verdicts.named) if (names.includes(request.name)) return decision;
    return verdicts.always ?? denied;
  }

  #authorizePath(rules: UserRules, request: RequestInfo): Decision {
    const found = rules.cluster.find(({ rule }) => allowsPath(rule, request.verb, request.path));
    return found === undefined ? denied : { allowed: true, reason: found.reason };
  }

  /** Every rule that the user holds in a namespace ("" for the cluster scope), those of cluster role bindings first. */
  rulesFor(user: UserInfo, namespace: string): readonly HeldRule[] {
    return this.#heldIn(user, this.#rulesOf(user), namespace);
  }

  /** The rules of the role that a binding names; undefined when the role does not exist. */
  rulesOfRole(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const found =
      role.kind === "ClusterRole"
        ? this.#reader.get(clusterRoles, { name: role.name })
        : role.kind === "Role"
          ? this.#reader.get(roles, { namespace, name: role.name })
          : undefined;
    return found === undefined ? undefined : (found.rules ?? []);
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  #watch(type: ResourceType, changed: (object: ApiObject, event: string) => void): void {
    this.#subscriptions.push(
      this.#reader.onChange(type, (object, event) => {
        this.#users.clear();
        this.#known = new WeakMap();
        changed(object, event);
      }),
    );
  }

  #rulesOf(user: UserInfo): UserRules {
    const known = this.#known.get(user);
    if (known !== undefined) return known;
    const key = `${user.name}\0${user.groups.join("\0")}`;
    let found = this.#users.get(key);
    if (found === undefined) {
      found = { cluster: this.#compile(user, ""), byNamespace: new Map(), verdicts: new Map() };
      if (this.#users.size >= maxUsers) this.#users.clear();
      this.#users.set(key, found);
    }
    this.#known.set(user, found);
    return found;
  }

  #heldIn(user: UserInfo, rules: UserRules, namespace: string): readonly HeldRule[] {
    if (namespace === "") return rules.cluster;
    let held = rules.byNamespace.get(namespace);
    if (held === undefined) {
      held = [...rules.cluster, ...this.#compile(user, namespace)];
      if (rules.byNamespace.size >= maxVerdicts) rules.byNamespace.clear();
      rules.byNamespace.set(namespace, held);
    }
    return held;
  }

  /** The user's rules from bindings of exactly this namespace ("" for cluster role bindings). */
  #compile(user: UserInfo, namespace: string): readonly HeldRule[] {
    const bindings = new Map<string, { binding: Binding; subject: Subject }>();
    for (const subject of subjectsOf(user)) {
      for (const [key, binding] of this.#bySubject.get(`${namespace}\0${subject}`) ?? []) {
        if (bindings.has(key)) continue;
        // The first subject that matches is the one the reason names.
        const matching = binding.subjects?.find((each) =>
          subjectsOf(user).includes(subjectKey(each, binding.metadata.namespace ?? "")),
        );
        if (matching !== undefined) bindings.set(key, { binding, subject: matching });
      }
    }
    return [...bindings.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { binding, subject }]) => {
        const reason = reasonText(binding, subject);
        return (this.rulesOfRole(binding.roleRef, namespace) ?? []).map((rule) => ({ rule, reason }));
      });
  }

  #index(binding: Binding): void {
    const namespace = binding.metadata.namespace ?? "";
    const name = binding.metadata.name ?? "";
    const keys = [...new Set((binding.subjects ?? []).map((subject) => `${namespace}\0${subjectKey(subject, namespace)}`))];
    for (const key of keys) {
      let bindings = this.#bySubject.get(key);
      if (bindings === undefined) {
        bindings = new Map();
        this.#bySubject.set(key, bindings);
      }
      bindings.set(name, binding);
    }
    this.#filed.set(`${namespace}\0${name}`, keys);
  }

  #unindex(binding: ApiObject): void {
    const name = binding.metadata.name ?? "";
    const filed = `${binding.metadata.namespace ?? ""}\0${name}`;
    for (const key of this.#filed.get(filed) ?? []) {
      const bindings = this.#bySubject.get(key);
      bindings?.delete(name);
      if (bindings?.size === 0) this.#bySubject.delete(key);
    }
    this.#filed.delete(filed);
  }
}

function verdictsFor(held: readonly HeldRule[], request: RequestInfo): Verdicts {
  const named: { names: readonly string[]; decision: Decision }[] = [];
  for (const { rule, reason } of held) {
    if (!allowsKind(rule, request.verb, request.group, request.resource, request.subresource)) continue;
    const decision = { allowed: true, reason };
    if (rule.resourceNames === undefined || rule.resourceNames.length === 0) return { named, always: decision };
    named.push({ names: rule.resourceNames, decision });
  }
  return { named, always: undefined };
}

const subjectsOf = (user: UserInfo): readonly string[] => {
  const keys = [`User\0${user.name}`, ...user.groups.map((group) => `Group\0${group}`)];
  if (user.name.startsWith(serviceAccountPrefix)) keys.push(`ServiceAccount\0${user.name.slice(serviceAccountPrefix.length)}`);
  return keys;
};

const serviceAccountPrefix = "system:serviceaccount:";

function subjectKey(subject: Subject, bindingNamespace: string): string {
  if (subject.kind !== "ServiceAccount") return `${subject.kind}\0${subject.name}`;
  // Without a namespace a role binding means its own; a cluster role binding means nobody.
  return `ServiceAccount\0${serviceAccountNamespace(subject, bindingNamespace)}:${subject.name}`;
}

const serviceAccountNamespace = (subject: Subject, bindingNamespace: string): string =>
  subject.namespace === undefined || subject.namespace === "" ? bindingNamespace : subject.namespace;

function reasonText(binding: Binding, subject: Subject): string {
  const namespace = binding.metadata.namespace ?? "";
  const name = binding.metadata.name ?? "";
  const what =
    namespace === "" ? `ClusterRoleBinding ${JSON.stringify(name)}` : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`;
  const whom =
    subject.kind === "ServiceAccount"
      ? `ServiceAccount ${JSON.stringify(`${subject.name}/${serviceAccountNamespace(subject, namespace)}`)}`
      : `${subject.kind} ${JSON.stringify(subject.name)}`;
  return `RBAC: allowed by ${what} of ${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)} to ${whom}`;
}
