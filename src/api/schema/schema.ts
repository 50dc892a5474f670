// What is known of an object's shape: one recursive description for built-in kinds and custom resources alike (D3).
// Decoding, strict field checks, defaults, pruning, merges, apply, protobuf and OpenAPI all read this.

export type Schema = ScalarSchema | ObjectSchema | MapSchema | ListSchema | AnySchema;

export interface ScalarSchema {
  readonly kind: "scalar";
  readonly type:
    | "string"
    | "boolean"
    | "int32"
    | "int64"
    | "double"
    | "quantity"
    | "intOrString"
    | "time"
    | "microTime"
    | "bytes";
  readonly enum?: readonly string[];
}

export interface ObjectSchema {
  readonly kind: "object";
  /** "io.k8s.api.core.v1.PodSpec"; "" for anonymous objects of custom resources. */
  readonly name: string;
  readonly fields: Readonly<Record<string, Field>>;
  /** x-kubernetes-map-type: atomic. */
  readonly atomic: boolean;
  /** Unknown fields are kept (x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown: boolean;
}

export interface Field {
  readonly name: string;
  /** Resolved on first use: schemas are recursive. */
  readonly schema: Schema;
  readonly required: boolean;
  readonly default?: unknown;
  readonly description?: string;
  /** Strategic merge: "merge", "replace", "retainKeys", or two of them. */
  readonly patchStrategy: readonly ("merge" | "replace" | "retainKeys")[];
  readonly patchMergeKey?: string;
  /** Protobuf field number; undefined where the type has no protobuf form. */
  readonly number?: number;
  /** The protobuf type as the field table says it ("repeated string", "map<string, bytes>", ...). */
  readonly protobufType?: string;
  /** Of built-in types: the Go type as upstream's decoding errors print it ("[]v1.Container"), without its pointer. */
  readonly goType?: string;
  /** Of built-in types: a pointer in Go, so that zero and absent differ. */
  readonly pointer?: boolean;
  /** Of built-in types: written even when empty (`resources: {}`, `rules: null`). */
  readonly emitEmpty?: boolean;
  /** Of built-in types: the structs that Go embeds on the way to this field; decoding errors name them. */
  readonly embedded?: readonly string[];
}

export interface MapSchema {
  readonly kind: "map";
  readonly values: Schema;
  readonly atomic: boolean;
}

export interface ListSchema {
  readonly kind: "list";
  readonly items: Schema;
  readonly listType: "atomic" | "set" | "map";
  /** Of listType map. */
  readonly mapKeys: readonly string[];
}

/** Any JSON (RawExtension, FieldsV1, JSONSchemaProps.default, ...). */
export interface AnySchema {
  readonly kind: "any";
  /** Whether an object is expected (RawExtension) or any value is fine. */
  readonly objectOnly: boolean;
}
