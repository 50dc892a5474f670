// What a handler answers, before anybody has chosen bytes or objects: the HTTP side encodes it, the in-process side parses it.

import type { Entry } from "./cache/entry.ts";
import type { CacheWatcher } from "./cache/watcher.ts";
import type { ServedResource } from "./registry/resource.ts";
import type { Backend } from "./subresources/backend.ts";

export type Answer =
  /** A stored object. */
  | { readonly kind: "entry"; readonly code: number; readonly resource: ServedResource; readonly entry: Entry }
  /** Any other object: a Status, a Scale, a review, discovery. */
  | { readonly kind: "object"; readonly code: number; readonly object: unknown; readonly resource?: ServedResource }
  | {
      readonly kind: "list";
      readonly resource: ServedResource;
      readonly entries: readonly Entry[];
      readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
    }
  | { readonly kind: "watch"; readonly resource: ServedResource; readonly watcher: CacheWatcher }
  /** Passed on to a kubelet or another program; `upgradeOnly` asks for a change of protocol. */
  | {
      readonly kind: "forward";
      readonly backend: Backend;
      readonly method: string;
      readonly path: string;
      readonly upgradeOnly: boolean;
      readonly contentType?: string;
      /** Refusals of the backend are told as a Status about this; passed on as they are unless given. */
      readonly refused?: { readonly resource: string; readonly name: string };
    }
  /** Not an API object: health checks, metrics, OpenAPI documents. */
  | {
      readonly kind: "raw";
      readonly code: number;
      readonly contentType: string;
      readonly body: Buffer | string;
      readonly headers?: Readonly<Record<string, string>>;
    };
