// The part of a CustomResourceDefinition that this server works with, loosely typed: schemas are user input.

/** JSONSchemaProps of apiextensions.k8s.io/v1. */
export interface Props {
  readonly type?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Props>>;
  readonly additionalProperties?: Props | boolean;
  readonly items?: Props;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly uniqueItems?: boolean;
  readonly allOf?: readonly Props[];
  readonly anyOf?: readonly Props[];
  readonly oneOf?: readonly Props[];
  readonly not?: Props;
  readonly title?: string;
  readonly description?: string;
  /** Refused, as the other keywords of JSON Schema here. */
  readonly $ref?: string;
  readonly $schema?: string;
  readonly id?: string;
  readonly additionalItems?: unknown;
  readonly patternProperties?: object;
  readonly definitions?: object;
  readonly dependencies?: object;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-validations"?: readonly unknown[];
}

export interface DefinitionNames {
  readonly plural: string;
  readonly singular?: string;
  readonly kind: string;
  readonly listKind?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

export interface DefinitionVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
  readonly schema?: { readonly openAPIV3Schema?: Props };
  readonly subresources?: {
    readonly status?: object;
    readonly scale?: {
      readonly specReplicasPath: string;
      readonly statusReplicasPath: string;
      readonly labelSelectorPath?: string;
    };
  };
  readonly additionalPrinterColumns?: readonly PrinterColumn[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
}

export interface DefinitionSpec {
  readonly group: string;
  readonly names: DefinitionNames;
  readonly scope: string;
  readonly versions: readonly DefinitionVersion[];
  readonly preserveUnknownFields?: boolean;
  readonly conversion?: Conversion;
}

export interface Conversion {
  readonly strategy?: string;
  readonly webhook?: {
    readonly conversionReviewVersions?: readonly string[] | null;
    readonly clientConfig?: {
      readonly url?: string;
      readonly service?: { readonly name?: string; readonly namespace?: string; readonly port?: number; readonly path?: string };
      readonly caBundle?: string;
    };
  };
}

/** Whether any schema inside uses a keyword. */
export function usesKeyword(props: Props | undefined, test: (props: Props) => boolean): boolean {
  if (props === undefined || props === null || typeof props !== "object") return false;
  if (test(props)) return true;
  const inner: (Props | undefined)[] = [
    ...Object.values(props.properties ?? {}),
    props.items,
    typeof props.additionalProperties === "object" ? props.additionalProperties : undefined,
    props.not,
    ...(props.allOf ?? []),
    ...(props.anyOf ?? []),
    ...(props.oneOf ?? []),
  ];
  return inner.some((child) => usesKeyword(child, test));
}
