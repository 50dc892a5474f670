// The resources whose objects may own or be owned: all that the server can list, watch and delete, followed as they come and go.
import {
  type ApiObject,
  apiServices,
  builtInResources,
  customResourceDefinitions,
  type OwnerReference,
  type ResourceType,
  type Stored,
} from "#api";
import type { Timer } from "#base";
import { createInformerFactory, type Informer, type InformerFactory } from "#client";
import type { ControllerContext } from "../context.ts";
import type { Discover } from "../shared/discovery.ts";

export interface ResourceHandler {
  seen(type: ResourceType, object: Stored<ApiObject>): void;
  gone(object: Stored<ApiObject>): void;
  /** The resource is no longer served. */
  dropped(type: ResourceType): void;
}

/** Events are many, short-lived and own nothing. */
const ignored = new Set(["/events", "events.k8s.io/events"]);
const keyOf = (type: { readonly group: string; readonly plural: string }): string => `${type.group}/${type.plural}`;

interface Followed {
  readonly type: ResourceType;
  readonly informer: Informer<ApiObject>;
  readonly handler: Disposable;
  /** Own informers of custom resources end with the resource. */
  readonly own: InformerFactory | undefined;
}

const settleMs = 200;
const retryMs = 10_000;

export class FollowedResources implements AsyncDisposable {
  readonly #context: ControllerContext;
  readonly #discover: Discover;
  readonly #handler: ResourceHandler;
  readonly #followed = new Map<string, Followed>();
  readonly #builtIn = new Map<string, ResourceType>(builtInResources.map((type) => [keyOf(type), type as ResourceType]));
  #timer: Timer | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: ControllerContext, discover: Discover, handler: ResourceHandler) {
    this.#context = context;
    this.#discover = discover;
    this.#handler = handler;
  }

  /** Resolves when every resource of the first discovery has been listed. */
  async start(): Promise<void> {
    for (const type of [customResourceDefinitions, apiServices] as readonly ResourceType[])
      this.#context.informers
        .informer(type)
        .addHandler({ added: () => this.#soon(), updated: () => this.#soon(), deleted: () => this.#soon() });
    await this.#refresh();
    await Promise.all([...this.#followed.values()].map(({ informer }) => informer.synced));
  }

  /** Undefined: the server does not know the kind. */
  typeOf(reference: Pick<OwnerReference, "apiVersion" | "kind">): ResourceType | undefined {
    const slash = reference.apiVersion.indexOf("/");
    const group = slash === -1 ? "" : reference.apiVersion.slice(0, slash);
    for (const { type } of this.#followed.values()) if (type.kind === reference.kind && type.group === group) return type;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#refreshing;
    for (const { handler, own } of this.#followed.values()) {
      handler[Symbol.dispose]();
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** A new definition is served a moment after it was stored, and several often come together. */
  #soon(delayMs = settleMs): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = this.#context.clock.after(delayMs, () => {
      this.#refreshing = this.#refreshing.then(() => this.#refresh());
    });
  }

  async #refresh(): Promise<void> {
    if (this.#closed) return;
    try {
      const { resources, failures } = await this.#discover();
      const wanted = new Map(resources.filter(isCollectable).map((type) => [keyOf(type), type]));
      for (const [key, type] of wanted) if (!this.#followed.has(key)) this.#follow(key, type);
      // A group that could not be read is not gone.
      const unread = new Set(failures.map(({ groupVersion }) => groupVersion.split("/")[0] ?? ""));
      for (const [key, followed] of [...this.#followed])
        if (!wanted.has(key) && !unread.has(followed.type.group)) await this.#drop(key, followed);
      if (failures.length > 0) this.#soon(retryMs);
    } catch (error) {
      this.#context.log.warn("cannot discover resources, trying again", { error: String(error) });
      this.#soon(retryMs);
    }
  }

  #follow(key: string, discovered: ResourceType): void {
    const builtIn = this.#builtIn.get(key);
    const type = builtIn ?? discovered;
    const own = builtIn === undefined ? createInformerFactory(this.#context) : undefined;
    const informer = (own ?? this.#context.informers).informer(type);
    const handler = informer.addHandler({
      added: (object) => this.#handler.seen(type, object),
      updated: (object) => this.#handler.seen(type, object),
      deleted: (object) => this.#handler.gone(object),
    });
    own?.start();
    this.#followed.set(key, { type, informer, handler, own });
  }

  async #drop(key: string, { type, handler, own }: Followed): Promise<void> {
    this.#followed.delete(key);
    handler[Symbol.dispose]();
    await own?.[Symbol.asyncDispose]();
    this.#handler.dropped(type);
  }
}

const isCollectable = (type: ResourceType): boolean =>
  !ignored.has(keyOf(type)) && ["list", "watch", "delete"].every((verb) => type.verbs.includes(verb));
